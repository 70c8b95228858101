// ansi: a line with the colours that programs write for terminals becomes pieces of text, each with its style.
//
// Only SGR (ESC [ numbers m) changes the style; every other escape sequence, known or not, is left out. Styles are names
// of classes from a fixed list, or three numbers of a colour: nothing that a line holds becomes a style or markup as it
// is. What else cannot be seen (NUL, a lone CR, BEL) becomes the picture of it that Unicode has.

// No two parts that follow each other can take the same character: else a line of digits would be read as often as it
// is long.
const escape = /\x1b(?:\[([0-?]*)([ -/]*[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-~]|$)/g;
const unseen = /[\x00-\x08\x0b-\x1f\x7f]/g;
const PIECES = 1000; // of a line; what follows is plain

const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

const show = (text) => text.replace(unseen, (one) => (one === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + one.charCodeAt(0))));

// Colour n of the 256: sixteen with names, a cube of 6 by 6 by 6, and greys.
function paletteColour(n) {
  if (!(n >= 0 && n <= 255)) return undefined;
  if (n < 16) return (n > 7 ? "bright-" : "") + names[n % 8];
  if (n > 231) return `rgb(${[8, 8, 8].map((base) => base + 10 * (n - 232)).join(" ")})`;
  const part = (value) => (value === 0 ? 0 : 55 + 40 * value);
  const cube = n - 16;
  return `rgb(${part(Math.floor(cube / 36))} ${part(Math.floor(cube / 6) % 6)} ${part(cube % 6)})`;
}

// What stands behind 38 and 48: `5;n` or `2;r;g;b`.
function longColour(codes) {
  const kind = codes.shift();
  if (kind === 5) return paletteColour(codes.shift());
  if (kind !== 2) return undefined;
  const parts = codes.splice(0, 3);
  return parts.length === 3 && parts.every((one) => one <= 255) ? `rgb(${parts.join(" ")})` : undefined;
}

const flags = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const ends = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"], 39: ["colour"], 49: ["back"] };

function apply(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = { ...style };
  while (codes.length > 0) {
    const code = codes.shift();
    if (code === 0) next = {};
    else if (flags[code]) next[flags[code]] = true;
    else if (ends[code]) for (const name of ends[code]) delete next[name];
    else if (code === 38) next.colour = longColour(codes);
    else if (code === 48) next.back = longColour(codes);
    else if (code >= 30 && code <= 37) next.colour = names[code - 30];
    else if (code >= 40 && code <= 47) next.back = names[code - 40];
    else if (code >= 90 && code <= 97) next.colour = `bright-${names[code - 90]}`;
    else if (code >= 100 && code <= 107) next.back = `bright-${names[code - 100]}`;
  }
  return next;
}

/** The text of a line without its escape sequences. */
export const plain = (text) => (text.includes("\x1b") ? text.replace(escape, "") : text);

/** The pieces of a line: `{ text, style }`, where style has any of bold, dim, italic, underline, inverse, strike, and
 *  colour and back: a name of the sixteen, or `rgb(r g b)`. */
export function piecesOf(text) {
  if (!text.includes("\x1b")) return [{ text: show(text), style: {} }];
  const pieces = [];
  let style = {}, at = 0;
  const add = (end) => end > at && pieces.push({ text: show(text.slice(at, end)), style });
  for (const found of text.matchAll(escape)) {
    if (pieces.length >= PIECES) break;
    add(found.index);
    at = found.index + found[0].length;
    if (found[2] === "m" && !/[<-?]/.test(found[1])) style = apply(style, found[1]);
  }
  if (pieces.length >= PIECES) pieces.push({ text: show(plain(text.slice(at))), style: {} });
  else add(text.length);
  return pieces;
}
