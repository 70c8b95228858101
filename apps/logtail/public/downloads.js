// downloads: the lines that are shown, or all that the filter lets through, as a file that the server makes.

import { $, setText } from "./dom.js";
import { toQuery } from "./filter.js";
import { linkTo } from "./session.js";
import { tell } from "./speaker.js";

const isTimed = ({ t }) => t > 0;

// From when to when the lines are; nothing if none tells a time.
function timesOf(rows) {
  const first = rows.find(isTimed);
  return first && [first.t.toFixed(3), (rows.find(isTimed, undefined, -1).until + 0.001).toFixed(3)];
}

async function save(query) {
  const link = document.createElement("a");
  try {
    Object.assign(link, { href: await linkTo(`download?${query}`), download: "" }).click();
  } catch (error) {
    tell(error.message);
  }
}

/** Makes the menu work. filter() is the one that is in force. */
export function offerDownloads(rows, filter) {
  $["download-menu"].addEventListener("toggle", () => {
    const times = timesOf(rows);
    setText($["download-part"], times ? "The lines on this page" : "The lines on this page tell no times, so no part can be chosen");
    for (const one of $.downloads.querySelectorAll('[data-part="page"]')) one.disabled = !times;
  });
  $.downloads.addEventListener("click", ({ target }) => {
    const { part, format } = target.dataset;
    if (!part) return;
    const [since, until] = part === "page" ? timesOf(rows) : [filter().since, filter().until];
    const query = toQuery({ ...filter(), since, until });
    query.set("format", format);
    save(query);
  });
}
