// Elements of the part of Markdown that notifications may have (../notify/markdown.lua). Never HTML: whatever is not
// understood stays text.

const inline = /`([^`\n]+)`|\*\*((?:[^*\n]|\*[^*\n]+\*)+)\*\*|\*([^*\n]+)\*|\[([^\]\n]+)\]\(((?:https?:\/\/|\/(?!\/))[^\s)"\\<>]*)\)/;

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function linkTo(address, ...children) {
  return Object.assign(element("a", ...children), { href: address, target: "_blank", rel: "noopener noreferrer" });
}

function* inlines(text) {
  for (let match = inline.exec(text); match; match = inline.exec(text)) {
    if (match.index > 0) yield text.slice(0, match.index);
    const [whole, code, strong, em, label, address] = match;
    if (code !== undefined) yield element("code", code);
    else if (strong !== undefined) yield element("strong", ...inlines(strong));
    else if (em !== undefined) yield element("em", ...inlines(em));
    else yield linkTo(address, ...inlines(label));
    text = text.slice(match.index + whole.length);
  }
  if (text) yield text;
}

function* lines(text) {
  for (const [i, line] of text.split("\n").entries()) {
    if (i > 0) yield element("br");
    yield* inlines(line);
  }
}

const isItem = (line) => /^\s*[-*] /.test(line);

// Lines of a kind, one after the other: a list, or a paragraph.
function* blocks(text) {
  let run = [];
  const made = () => (isItem(run[0])
    ? element("ul", ...run.map((line) => element("li", ...inlines(line.replace(/^\s*[-*] /, "")))))
    : element("p", ...lines(run.join("\n"))));
  for (const line of text.split("\n")) {
    if (run.length > 0 && (line.trim() === "" || isItem(line) !== isItem(run[0]))) {
      yield made();
      run = [];
    }
    if (line.trim() !== "") run.push(line);
  }
  if (run.length > 0) yield made();
}

/** The blocks of a text. */
export function render(text) {
  return text.split(/```(?:\w*\n)?([\s\S]*?)```/).flatMap((part, i) => {
    if (i % 2 === 1) return [element("pre", element("code", part.replace(/\n$/, "")))];
    return [...blocks(part)];
  });
}
