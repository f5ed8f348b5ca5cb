// Builds dist/ and notes what it was built from, so that a test can tell a stale build without Node.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const scripts = ["pixel.js", "checkout.js"];
await build({
  entryPoints: scripts.map((name) => `src/${name}`),
  bundle: true,
  minify: true,
  target: "es2017",
  format: "iife",
  charset: "utf8",
  outdir: "dist",
  logLevel: "warning",
});

const digest = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
const sources = [...readdirSync("src").map((name) => `src/${name}`), "build.mjs", "package-lock.json"].sort();
const manifest = {
  sources: Object.fromEntries(sources.map((path) => [path, digest(path)])),
  built: Object.fromEntries(scripts.map((name) => [`dist/${name}`, digest(`dist/${name}`)])),
};
writeFileSync("dist/manifest.json", JSON.stringify(manifest, null, 2) + "\n");
