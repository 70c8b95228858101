// The page of apps/upload hashes what comes in pieces: as Node does, whatever the pieces are.

import assert from "node:assert/strict";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { test } from "node:test";
import { Sha256 } from "../../apps/upload/public/sha256.js";

const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("texts of FIPS 180-2 have their digests", () => {
  const abc = new TextEncoder().encode("abc");
  assert.equal(new Sha256().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.equal(new Sha256().add(abc).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("any bytes in any pieces have the digest of the whole", () => {
  for (let length = 0; length < 600; length++) {
    const bytes = randomBytes(length), hash = new Sha256();
    for (let at = 0; at < length;) {
      const n = randomInt(1, 150);
      hash.add(bytes.subarray(at, at + n));
      at += n;
    }
    assert.equal(hash.hex(), hashOf(bytes), bytes.toString("hex"));
  }
});

test("so has what is longer than 512 MiB, whose bits are more than 32 bits count", () => {
  const piece = Buffer.alloc(1 << 20, "weir"), hash = new Sha256(), native = createHash("sha256");
  for (let i = 0; i < 513; i++) {
    hash.add(piece);
    native.update(piece);
  }
  assert.equal(hash.hex(), native.digest("hex"));
});
