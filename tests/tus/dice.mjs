// Numbers drawn from a seed, the same each time.

export class Dice {
  constructor(seed) {
    this.state = Math.imul(seed, 0x9e3779b1) ^ 0x5bf03635;
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

  // Whether something happens that does in one of n.
  one(n) {
    return this.below(n) === 0;
  }

  // From least to most, small ones as often as large ones.
  size(least, most) {
    const bits = Math.log2(most - least + 1);
    return least + Math.min(most - least, Math.floor(2 ** (bits * (this.below(10_000) / 10_000))) - 1 + this.below(2));
  }

  bytes(n) {
    const words = new Uint32Array(Math.ceil(n / 4));
    for (let i = 0; i < words.length; i++) words[i] = this.below(2 ** 32);
    return Buffer.from(words.buffer, 0, n);
  }
}
