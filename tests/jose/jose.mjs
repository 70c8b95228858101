// jose: the other side of spec/jose_spec.lua, by the npm library of that name, which is no kin of ours.
//
//   node jose.mjs make FOLDER     writes for each algorithm A.key (secret or private PEM), A.public (PEM), A.jwk and
//                                 A.token, and keys.json, the JWK Set of all
//   node jose.mjs verify FOLDER   verifies A.ours with A.key's public half, and prints the claim `n` of each

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const main = createRequire(import.meta.url).resolve(resolve(process.env.NODE_MODULES, "jose"));
const jose = await import(pathToFileURL(main));

const algs = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
  "ES256", "ES384", "ES512", "EdDSA"];
const [command, folder] = process.argv.slice(2);
const write = (name, text) => writeFileSync(`${folder}/${name}`, text);
const read = (name) => readFileSync(`${folder}/${name}`, "utf8");

async function make(alg) {
  const secret = alg.startsWith("HS") && "s".repeat(64);
  const pair = secret || (await jose.generateKeyPair(alg, { extractable: true }));
  const signer = secret ? new TextEncoder().encode(secret) : pair.privateKey;
  const jwk = secret ? { kty: "oct", k: jose.base64url.encode(secret) } : await jose.exportJWK(pair.publicKey);
  write(`${alg}.key`, secret || (await jose.exportPKCS8(pair.privateKey)));
  write(`${alg}.public`, secret || (await jose.exportSPKI(pair.publicKey)));
  write(`${alg}.token`, await new jose.SignJWT({ n: alg, list: [1, { deep: null }] })
    .setProtectedHeader({ alg, kid: `key of ${alg}` }).setIssuer("jose").setAudience(["weir", "other"])
    .setIssuedAt().setExpirationTime("1h").sign(signer));
  return { ...jwk, alg, kid: `key of ${alg}`, use: "sig" };
}

async function verify(alg) {
  const text = read(`${alg}.public`);
  const key = alg.startsWith("HS") ? new TextEncoder().encode(text) : await jose.importSPKI(text, alg);
  const { payload } = await jose.jwtVerify(read(`${alg}.ours`), key,
    { algorithms: [alg], issuer: "weir", requiredClaims: ["iat", "exp"] });
  console.log(payload.n);
}

if (command === "make") {
  const keys = [];
  for (const alg of algs) keys.push(await make(alg));
  write("keys.json", JSON.stringify({ keys }));
} else {
  for (const alg of algs) await verify(alg);
}
