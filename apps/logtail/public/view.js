// view: how the lines are shown, as this browser remembers it. Which lines there are is filter.js's business.

const remembered = "logtail.view";
const defaults = { wrap: matchMedia("(max-width: 560px)").matches, fields: true, folds: false, utc: false };

function recall() {
  try {
    return JSON.parse(localStorage.getItem(remembered)) ?? {};
  } catch {
    return {};
  }
}

export const view = { ...defaults, ...recall() };

export function choose(name, on) {
  view[name] = on;
  localStorage.setItem(remembered, JSON.stringify(view));
}
