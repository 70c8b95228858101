// Reloads the page when its app or its files have changed, and shows why a change was not taken over.
// `weir serve --watch` puts it at the end of HTML pages; core/script/pages.c says what comes over the stream.
{
  const { version, app } = document.currentScript.dataset
  let box
  new EventSource(`/.weir/reload?app=${app}`).onmessage = ({ data }) => {
    const [now, ...error] = data.split('\n')
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
}
