// The settings: quiet hours, tags, desktop notifications, the user's data.

import { ask } from "./session.js";

const byId = (id) => document.getElementById(id);

/** Whether it is within quiet hours, by this device's clock, and they are for that severity. */
export function isQuiet(preferences, severity, date) {
  const quiet = preferences?.quiet;
  if (!quiet || severity >= (quiet.severity ?? 6)) return false;
  const time = `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
  return quiet.from <= quiet.to ? time >= quiet.from && time < quiet.to : time >= quiet.from || time < quiet.to;
}

/** Whether a notification comes without a toast, by its tags. */
export const isSilent = (preferences, tags = []) => tags.some((tag) => Object.hasOwn(preferences?.tags ?? {}, tag));

function tagRow(tag, wish) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  for (const [value, text] of [["", "normal"], ["silent", "silent"], ["mute", "muted"]]) {
    select.append(new Option(text, value, false, value === (wish ?? "")));
  }
  select.dataset.tag = tag;
  label.append(`${tag} `, select);
  return label;
}

function fill(preferences, tags) {
  const { quiet } = preferences;
  byId("quiet").checked = quiet !== undefined;
  byId("quiet-from").value = quiet?.from ?? "22:00";
  byId("quiet-to").value = quiet?.to ?? "07:00";
  byId("quiet-severity").value = quiet?.severity ?? 5;
  byId("tag-settings").replaceChildren(...tags.map((tag) => tagRow(tag, preferences.tags[tag])));
  byId("desktop").disabled = globalThis.Notification === undefined || Notification.permission !== "default";
  byId("desktop").textContent = globalThis.Notification?.permission === "granted" ? "Desktop notifications are allowed"
    : globalThis.Notification?.permission === "denied" ? "Desktop notifications are blocked by the browser"
      : "Allow desktop notifications";
}

function read() {
  const tags = {};
  for (const select of document.querySelectorAll("#tag-settings select")) if (select.value) tags[select.dataset.tag] = select.value;
  if (!byId("quiet").checked) return { tags };
  return { tags, quiet: { from: byId("quiet-from").value, to: byId("quiet-to").value, severity: Number(byId("quiet-severity").value) } };
}

function save(answer) {
  const address = URL.createObjectURL(new Blob([JSON.stringify(answer, null, 2)], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: address, download: "notifications.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** The dialog. `say(text)` tells what became of it. */
export function makeSettings(say) {
  const dialog = byId("settings");
  const attempt = (work) => work().catch((error) => say(`Not done: ${error.message}`));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "save") attempt(() => ask("PUT", "preferences", read()));
  });
  byId("cancel").addEventListener("click", () => dialog.close(""));
  byId("desktop").addEventListener("click", async () => {
    await Notification.requestPermission();
    byId("desktop").disabled = true;
  });
  byId("export").addEventListener("click", () => attempt(async () => save(await ask("GET", "export"))));
  byId("erase").addEventListener("click", () => {
    if (!confirm("Delete all your notifications and settings on the server, for all devices?")) return;
    attempt(() => ask("DELETE", "data"));
    dialog.close();
  });
  return (preferences, tags) => {
    fill(preferences ?? { tags: {} }, tags);
    dialog.returnValue = "";
    dialog.showModal();
  };
}
