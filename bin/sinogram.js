#!/usr/bin/env node
// Starts the command line. In a fresh checkout it first runs scripts/setup.mjs, whose output goes to stderr.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "dist/cli/main.js");
const isCheckout = existsSync(join(root, "lib/cli/main.ts"));

function setup(...flags) {
  const script = join(root, "scripts/setup.mjs");
  return spawnSync(process.execPath, [script, ...flags], { stdio: ["ignore", 2, 2] }).status === 0;
}

// doctor has to work where the native build fails: it is what says why
const isReady = existsSync(entry) || (isCheckout && (setup() || (process.argv.includes("doctor") && setup("--ts"))));
if (isReady && existsSync(entry)) {
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  const advice = isCheckout
    ? "the setup failed; its output is above. Run npm run setup again when that is repaired."
    : `${entry} is missing. Install the package again.`;
  process.stderr.write(`sinogram: ${advice} [ERR_SINO_NATIVE_UNAVAILABLE]\n`);
  process.exitCode = 5;
}
