// `npm test [-- words…]`: sets up, runs every test file in a process of its own, prints what was skipped and why, and one
// closing line. Words select files by path.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { setup } from "./setup.mjs";

const root = resolve(import.meta.dirname, "..");
setup();

const words = process.argv.slice(2);
const files = readdirSync(join(root, "test"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
  .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`No test file matches ${words.join(" ")}.`);
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), "sinogram-test-"));
const record = join(scratch, "record.ndjson");
/** Of a file; the kernels' compiles the checked program first, ten minutes and more on a busy machine. */
const longestMs = 1_200_000;
const runner = spawn(
  process.execPath,
  [
    ...["--import", "tsx", "--test", "--test-concurrency=2", `--test-timeout=${longestMs}`, "--test-reporter=spec"],
    ...files,
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, SINOGRAM_TEST_RECORD: record, FORCE_COLOR: "0" } },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => runner.kill(signal));
runner.on("exit", (code, signal) => {
  const suites = existsSync(record)
    ? readFileSync(record, "utf8")
        .trim()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
  rmSync(scratch, { recursive: true, force: true });
  const passed = suites.reduce((n, suite) => n + suite.passed, 0);
  const skips = suites.flatMap((suite) => suite.skipped);
  const silent = files.filter((file) => !suites.some((suite) => suite.file === file));
  const failed = suites.reduce((n, suite) => n + suite.failed, 0) + silent.length;
  const reasons = new Map();
  for (const { name, reason } of skips) reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
  for (const [reason, names] of reasons) console.log(`\nskipped ${names.length}: ${reason}\n  ${names.join("\n  ")}`);
  for (const file of silent) console.log(`\n${file} ended without a result (a crash, a time-out or a missing .run()).`);
  console.log(`\n${passed} passed, ${failed} failed, ${skips.length} skipped`);
  process.exit(code === 0 && !signal && failed === 0 && passed > 0 ? 0 : 1);
});
