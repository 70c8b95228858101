// Numbers drawn from a seed, the same each time. STORIES_SEED repeats a run; each story draws for itself, so that it is
// the same when it runs alone.

export const seed = Number(process.env.STORIES_SEED ?? Math.floor(Math.random() * 1e9));

export class Random {
  constructor(name) {
    this.state = seed;
    for (const letter of name) this.state = Math.imul(this.state ^ letter.codePointAt(0), 0x01000193);
  }

  // A number of 0 to n - 1.
  below(n) {
    this.state = (this.state + 0x9e3779b9) | 0;
    let x = this.state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) % n;
  }

  of(list) {
    return list[this.below(list.length)];
  }
}
