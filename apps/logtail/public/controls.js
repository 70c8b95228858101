// controls: what the buttons, the keys and a click on a line do. What it comes to is the page's business.

import { showAlerts } from "./alerts.js";
import { plain } from "./ansi.js";
import { $ } from "./dom.js";
import { offerDownloads } from "./downloads.js";
import { signInWith } from "./session.js";
import { announce, tell } from "./speaker.js";
import { choose, view } from "./view.js";

function copy(text, what) {
  const failed = () => tell("The browser does not let the page copy.");
  if (!navigator.clipboard) return failed();
  navigator.clipboard.writeText(text).then(() => tell(`${what} is copied.`), failed);
}

const addressOf = (row) => `${location.origin}${location.pathname}${location.search}#id=${encodeURIComponent(row.id)}`;

// ---- lines ----------------------------------------------------------------------------------------------------------

function connectLines({ list, bar, fill, setFollowing }) {
  const toggle = (row) => {
    if (row.kind === "gap" && row.to) fill(row);
    if (row.kind !== "line") return;
    row.open = !row.open;
    row.measured = true;
    setFollowing(false);
    list.current = row;
    list.redraw(row);
  };
  const acts = {
    toggle,
    fetch: fill,
    include: (_, { field, is }) => bar.include(field, is),
    exclude: (_, { field, is }) => bar.exclude(field, is),
    copy: (row) => copy(plain(row.text), "The line"),
    link: (row) => copy(addressOf(row), "The link"),
  };
  $.window.addEventListener("click", ({ target }) => {
    const one = target.closest("[data-act]"), row = one && list.rowOf(one);
    const isSelecting = one?.tagName === "SPAN" && !getSelection().isCollapsed;
    if (row && !isSelecting) acts[one.dataset.act](row, one.dataset);
  });
  // Who goes to a line wants it to stay.
  $.window.addEventListener("focusin", ({ target }) => {
    list.current = list.rowOf(target) ?? list.current;
    setFollowing(false);
  });
  return toggle;
}

// ---- keys -----------------------------------------------------------------------------------------------------------

// Single keys work only while the lines have the focus, so that they take no letter from anything else.
function connectKeys({ list, searchBar, setFollowing }, toggle) {
  const move = (step) => {
    setFollowing(false);
    list.move(step);
  };
  const keys = {
    p: () => setFollowing(!list.following),
    "/": () => $.find.focus(),
    f: () => $.filter.focus(),
    n: () => searchBar.toHit(1),
    N: () => searchBar.toHit(-1),
    e: () => searchBar.toError(1),
    E: () => searchBar.toError(-1),
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Home: () => {
      setFollowing(false);
      list.toStart();
    },
    End: () => setFollowing(true),
  };
  $.log.addEventListener("keydown", (event) => {
    const isOnLine = event.target.classList.contains("row");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys[event.key] ?? (event.key === "Enter" && isOnLine ? () => toggle(list.current) : undefined);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

// ---- menus ----------------------------------------------------------------------------------------------------------

// One at a time is open, and a click elsewhere or Escape closes it.
function connectMenus() {
  const menus = [...document.querySelectorAll("details.menu")];
  const close = (except) => menus.forEach((menu) => { if (menu !== except) menu.open = false; });
  addEventListener("pointerdown", ({ target }) => close(target.closest("details.menu")));
  for (const menu of menus) {
    menu.addEventListener("toggle", () => menu.open && close(menu));
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
}

function connectView(viewChanged) {
  for (const box of $.view.querySelectorAll("input")) {
    box.checked = view[box.name];
    box.addEventListener("change", () => {
      choose(box.name, box.checked);
      viewChanged(box.name);
    });
  }
}

function connectSources({ sources, bar }) {
  $.sources.addEventListener("click", ({ target }) => {
    const { name, value } = target.dataset;
    if (name) bar.chooseSources(sources.labelled(name, value));
  });
}

/** `page` has the parts of the page, and what they can do: page.js. */
export function connectControls(page) {
  const { list, setFollowing } = page;
  connectKeys(page, connectLines(page));
  connectMenus();
  connectView(page.viewChanged);
  connectSources(page);
  offerDownloads(page.store.rows, page.filter);
  showAlerts();
  $.connect.addEventListener("click", page.connect);
  $.pause.addEventListener("click", () => setFollowing(!list.following));
  $.jump.addEventListener("click", () => {
    setFollowing(true);
    $.log.focus({ preventScroll: true });
  });
  $.live.addEventListener("click", page.goLive);
  $.older.firstElementChild.addEventListener("click", page.older);
  $.newer.firstElementChild.addEventListener("click", page.newer);
  $.enter.addEventListener("submit", (event) => {
    event.preventDefault();
    signInWith($.token.value);
    $.token.value = "";
    announce("Connecting");
    page.open();
  });
}
