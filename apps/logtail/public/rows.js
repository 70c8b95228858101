// rows: what a list shows, one below the other, each with its height, so that places become rows and rows places.
//
// Rows stand in blocks of a few hundred with the sum of their heights: to find a place means to pass the blocks and then
// the rows of one, whatever the number of rows, and a row that comes, goes or grows changes one sum.
//
//   offset --at--> row --offsetOf--> offset          blocks: [ 256 rows | 5,120 px ][ 256 | 5,120 ][ 97 | 1,980 ]
//
// A row is any object with a `height` in pixels; `block` in it is ours. It knows nothing of lines or of the page.

const BLOCK = 256;

const heightsOf = (rows) => rows.reduce((sum, row) => sum + row.height, 0);

function makeBlock(rows) {
  const block = { rows, height: heightsOf(rows) };
  for (const row of rows) row.block = block;
  return block;
}

export class Rows {
  #blocks = [];
  count = 0;
  height = 0;

  get first() {
    return this.#blocks[0]?.rows[0];
  }

  get last() {
    return this.#blocks.at(-1)?.rows.at(-1);
  }

  has(row) {
    return Boolean(row?.block);
  }

  push(row) {
    let block = this.#blocks.at(-1);
    if (!block || block.rows.length >= BLOCK) this.#blocks.push(block = makeBlock([]));
    block.rows.push(row);
    row.block = block;
    this.#grow(block, row.height, 1);
  }

  /** Puts rows in front of another, or, without one, behind all. */
  insert(rows, before) {
    if (!before) return rows.forEach((row) => this.push(row));
    const { block } = before;
    const rest = block.rows.splice(block.rows.indexOf(before));
    block.height -= heightsOf(rest);
    const all = [...rows, ...rest], fresh = [];
    for (let i = 0; i < all.length; i += BLOCK) fresh.push(makeBlock(all.slice(i, i + BLOCK)));
    const keep = block.rows.length > 0 ? [block] : [];
    this.#blocks.splice(this.#blocks.indexOf(block), 1, ...keep, ...fresh);
    this.count += rows.length;
    this.height += heightsOf(rows);
  }

  remove(row) {
    const { block } = row;
    block.rows.splice(block.rows.indexOf(row), 1);
    row.block = null;
    this.#grow(block, -row.height, -1);
    if (block.rows.length === 0) this.#blocks.splice(this.#blocks.indexOf(block), 1);
  }

  clear() {
    for (const row of this.walk()) row.block = null;
    this.#blocks = [];
    this.count = this.height = 0;
  }

  setHeight(row, height) {
    this.#grow(row.block, height - row.height, 0);
    row.height = height;
  }

  /** All heights anew. */
  measure(heightOf) {
    this.height = 0;
    for (const block of this.#blocks) {
      for (const row of block.rows) row.height = heightOf(row);
      block.height = heightsOf(block.rows);
      this.height += block.height;
    }
  }

  /** How far above a row all others reach. */
  offsetOf(row) {
    let offset = 0;
    for (const block of this.#blocks) {
      if (block === row.block) break;
      offset += block.height;
    }
    for (const other of row.block.rows) {
      if (other === row) break;
      offset += other.height;
    }
    return offset;
  }

  /** The row at an offset; the first or last one beyond them. */
  at(offset) {
    let rest = offset;
    for (const block of this.#blocks) {
      if (rest >= block.height) {
        rest -= block.height;
        continue;
      }
      for (const row of block.rows) {
        if (rest < row.height) return row;
        rest -= row.height;
      }
    }
    return this.last;
  }

  /** How many rows stand before this one. */
  indexOf(row) {
    let index = 0;
    for (const block of this.#blocks) {
      if (block === row.block) break;
      index += block.rows.length;
    }
    return index + row.block.rows.indexOf(row);
  }

  /** The rows behind one, or all; with `step` -1 those before it, or all from the end. */
  *walk(row, step = 1) {
    let i = row ? this.#blocks.indexOf(row.block) : step > 0 ? 0 : this.#blocks.length - 1;
    let j = row ? row.block.rows.indexOf(row) + step : undefined;
    for (; i >= 0 && i < this.#blocks.length; i += step, j = undefined) {
      const { rows } = this.#blocks[i];
      for (j ??= step > 0 ? 0 : rows.length - 1; j >= 0 && j < rows.length; j += step) yield rows[j];
    }
  }

  /** The first one for which `wanted` holds, as walk() goes. */
  find(wanted, row, step) {
    for (const one of this.walk(row, step)) if (wanted(one)) return one;
    return undefined;
  }

  #grow(block, height, count) {
    block.height += height;
    this.height += height;
    this.count += count;
  }
}
