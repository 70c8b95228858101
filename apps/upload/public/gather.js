// What was dropped, pasted or chosen, as files with their paths: folders to any depth.

/** @typedef {{ file: File, path: string }} Gathered */

const asFile = (entry) => new Promise((done, fail) => entry.file(done, fail));
const someOf = (reader) => new Promise((done, fail) => reader.readEntries(done, fail));

// A folder gives its entries some at a time, none at the end.
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (let some = await someOf(reader); some.length > 0; some = await someOf(reader)) all.push(...some);
  return all;
}

async function walk(entry, above) {
  if (entry.isFile) return [{ file: await asFile(entry), path: above + entry.name }];
  const within = await entriesOf(entry);
  return (await Promise.all(within.map((one) => walk(one, `${above}${entry.name}/`)))).flat();
}

/** Of a drop or a paste. Has to be called while the event is handled: after it the browser forgets what was in it. */
export async function gatherFrom(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const found = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  return (await Promise.all(found.map(({ entry, file }) =>
    (entry ? walk(entry, "") : file ? [{ file, path: file.name }] : [])))).flat();
}

/** Of an input that files or a folder was chosen with. */
export const gatherOf = (input) => [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
