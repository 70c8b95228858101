// chart: the arithmetic of a chart: how far up it reaches, and the line of a figure.
//
// Its right end is the newest second, its left end `reach` seconds before.

export const [WIDTH, HEIGHT] = [600, 60];

const HOLE = 3; // seconds without figures, over which no line is drawn
const ROOM = 4; // above the highest, for the width of the line

/** 1, 2, 5, 10, …, of bytes in their units: a scale that does not move with every value. */
export function scaleFor(most, least, isBytes) {
  if (most <= least) return least;
  const unit = isBytes ? 1024 ** Math.floor(Math.log2(most) / 10) : 1;
  const power = unit * 10 ** Math.floor(Math.log10(most / unit));
  return power * [1, 2, 5, 10].find((step) => most <= step * power);
}

/** How far to the right something is that was so many seconds ago. */
export const placeAt = (ago, reach) => Math.round(WIDTH * (1 - ago / reach) * 10) / 10;

// Lists of points, for a figure may not be known at times.
function piecesOf(store, name, { scale, reach }) {
  const pieces = [];
  let last;
  for (const figures of store) {
    const value = figures[name];
    if (value === undefined) continue;
    if (!last || figures.at - last.at >= HOLE) pieces.push([]);
    const height = HEIGHT - 1 - (value / scale) * (HEIGHT - ROOM);
    pieces.at(-1).push([placeAt(store.at(-1).at - figures.at, reach), Math.round(height * 10) / 10]);
    last = figures;
  }
  return pieces;
}

const joined = (points) => points.map(([x, y]) => `${x} ${y}`).join("L");

/** Of figures, the oldest first: the path of one's line, where what stands alone is a dot, and that of the area below. */
export function pathsOf(store, name, { scale, reach }) {
  const pieces = piecesOf(store, name, { scale, reach });
  return {
    line: pieces.map((points) => `M${joined(points)}${points.length > 1 ? "" : "h0"}`).join(""),
    area: pieces.map((points) => `M${points[0][0]} ${HEIGHT}L${joined(points)}L${points.at(-1)[0]} ${HEIGHT}Z`).join(""),
  };
}
