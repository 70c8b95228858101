// dom: the page's elements by their ids, and the few words that all parts of it use.

export const $ = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const number = new Intl.NumberFormat("en").format;

/** 1 line, 1,204 lines. */
export const countOf = (n, word = "line") => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
