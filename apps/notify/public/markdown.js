// Elements of the part of Markdown that notifications may have (../notify/markdown.lua). Never HTML: whatever is not
// understood stays text.

const inline = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|\*([^*\n]+)\*|\[([^\]\n]+)\]\(((?:https?:\/\/|\/(?!\/))[^\s)"\\<>]*)\)/;

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

function block(text) {
  const items = text.split("\n");
  if (items.every((line) => /^\s*[-*] /.test(line))) {
    return element("ul", ...items.map((line) => element("li", ...inlines(line.replace(/^\s*[-*] /, "")))));
  }
  return element("p", ...lines(text));
}

/** The blocks of a text. */
export function render(text) {
  return text.split(/```(?:\w*\n)?([\s\S]*?)```/).flatMap((part, i) => {
    if (i % 2 === 1) return [element("pre", element("code", part.replace(/\n$/, "")))];
    return part.split(/\n\s*\n/).map((one) => one.trim()).filter(Boolean).map(block);
  });
}
