// Reloads the page when its app or its files have changed, and shows why a change was not taken over.
// `weir serve --watch` puts it at the end of HTML pages; core/serve/pages.c says what comes over the stream.
//
// A browser has six connections to a server, so all pages of one share a stream: this file is also the worker that has
// it. Where there are no such workers a page has a stream of its own, while it is seen.
if (typeof SharedWorkerGlobalScope === 'function') {
  const ports = new Set(), newest = new Map()
  onconnect = ({ ports: [port] }) => {
    ports.add(port)
    for (const text of newest.values()) port.postMessage(text)
  }
  new EventSource('/.weir/reload').onmessage = ({ data }) => {
    newest.set(data.split(' ', 1)[0], data)
    for (const port of ports) port.postMessage(data)
  }
} else {
  const { version, app } = document.currentScript.dataset
  let box

  const take = ({ data }) => {
    const [head, ...error] = data.split('\n')
    const [of, now] = head.split(' ')
    if (of !== app || Number(now) < Number(version)) return // of another app, or what the worker knew before the page
    if (now !== version) return location.reload()
    box?.remove()
    if (error.length === 0) return
    box = document.createElement('pre')
    box.id = 'weir-reload'
    box.setAttribute('role', 'alert')
    box.textContent = `The newest version does not start:\n${error.join('\n')}`
    Object.assign(box.style, {
      position: 'fixed', inset: 'auto 0 0 0', zIndex: 2147483647, margin: 0, padding: '1rem', maxHeight: '60vh',
      overflow: 'auto', whiteSpace: 'pre-wrap', font: '14px/1.5 ui-monospace, monospace', textAlign: 'left',
      color: '#fff', background: '#a11', borderTop: '4px solid #611'
    })
    document.body.append(box)
  }

  const alone = () => {
    let source
    const look = () => {
      source?.close()
      source = document.hidden ? undefined : new EventSource('/.weir/reload')
      if (source) source.onmessage = take
    }
    document.addEventListener('visibilitychange', look)
    look()
  }

  try {
    const worker = new SharedWorker('/.weir/reload.js')
    worker.onerror = alone // its script was not let in
    worker.port.onmessage = take
  } catch {
    alone()
  }
}
