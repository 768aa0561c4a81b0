// `npm run bench [-- words…]`: sets up and runs the benches whose path contains one of the words (all of bench/ops without words); from the first flag on
// everything is handed to them: `npm run bench -- compare --quick`.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { setup } from "./setup.mjs";

const root = resolve(import.meta.dirname, "..");
setup();
const given = process.argv.slice(2);
const flagsAt = given.findIndex((word) => word.startsWith("-"));
const words = flagsAt < 0 ? given : given.slice(0, flagsAt);
const flags = flagsAt < 0 ? [] : given.slice(flagsAt);
const files = readdirSync(join(root, "bench"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.bench\.ts$/.test(entry.name))
  .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
  .filter((file) => (words.length === 0 ? file.startsWith("bench/ops/") : words.some((word) => file.includes(word))))
  .sort();
if (files.length === 0) {
  console.error(`No bench matches ${words.join(" ")}.`);
  process.exit(2);
}
let failed = 0;
for (const file of files) {
  console.log(`\n── ${file}`);
  if (spawnSync(process.execPath, ["--import", "tsx", file, ...flags], { cwd: root, stdio: "inherit" }).status !== 0)
    failed++;
}
process.exit(failed > 0 ? 1 : 0);
