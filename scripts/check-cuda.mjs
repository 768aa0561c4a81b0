// `npm run check:cuda [-- words…]`: every CUDA file, kernels' tests included, through nvcc for each architecture that releases are
// built for, warnings as errors; then registers and memory of every kernel as ptxas reports them. A spilled register fails: the
// kernel keeps more than the machine has, which costs more than any trick gains. Needs nvcc, no GPU. Words select files by path,
// --jobs=N says how many compilers run at once. What nvcc said of a file is kept in build/cuda-check until the file, or one that it
// includes, changes: a run that was stopped goes on where it was.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const folder = join(root, "build/cuda-check");
const architectures = [75, 80, 86, 89, 90, 120];
const flags = [
  "-std=c++17",
  "-O3",
  "-I.",
  "--Werror",
  "all-warnings",
  "-Xcompiler=-Wall,-Wextra,-Werror",
  "-Xptxas",
  "-v",
];

/**
 * Kernels in what `-Xptxas -v` prints, one entry for each architecture.
 * @param {string} log
 */
export function kernelsIn(log) {
  const kernels = [];
  for (const line of log.split("\n")) {
    const entry = /Compiling entry function '(.+)' for 'sm_(\d+)'/.exec(line);
    if (entry)
      kernels.push({ name: entry[1], architecture: Number(entry[2]), registers: 0, shared: 0, stack: 0, spilled: 0 });
    const kernel = kernels.at(-1);
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (kernel && frame) {
      kernel.stack = Number(frame[1]);
      kernel.spilled = Number(frame[2]) + Number(frame[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (kernel && used) {
      kernel.registers = Number(used[1]);
      kernel.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    }
  }
  return kernels;
}

function readable(names) {
  const result = spawnSync("c++filt", names, { encoding: "utf8" });
  const plain = result.status === 0 ? result.stdout.trim().split("\n") : names;
  return plain.map((name) =>
    name
      .replaceAll("(anonymous namespace)::", "")
      .replaceAll("sino::", "")
      .replace(/^void /, "")
      .replace(/\([^()]*\)$/, ""),
  );
}

/** Adds a file and what it includes from this repository, however deep, to `found`. */
function withIncludes(file, found = new Set()) {
  if (found.has(file) || !existsSync(join(root, file))) return found;
  found.add(file);
  const text = readFileSync(join(root, file), "utf8");
  for (const [, name] of text.matchAll(/^#include "(.+)"/gm)) withIncludes(name, found);
  return found;
}

function digest(file, compiler) {
  const hash = createHash("sha256").update([compiler, ...flags, ...architectures].join("\0"));
  for (const name of [...withIncludes(file)].sort()) hash.update(name).update(readFileSync(join(root, name)));
  return hash.digest("hex");
}

/** What nvcc says of a file, kept from the last time where nothing has changed. */
async function compile(file, compiler) {
  const kept = join(folder, `${file.replaceAll("/", "_")}.json`);
  const key = digest(file, compiler);
  const last = existsSync(kept) ? JSON.parse(readFileSync(kept, "utf8")) : {};
  if (last.key === key) return { file, log: last.log, failed: false };
  const codes = architectures.map((a) => `-gencode=arch=compute_${a},code=sm_${a}`);
  const object = join(folder, `${file.replaceAll("/", "_")}.o`);
  const { log, status } = await run("nvcc", [...flags, ...codes, "-c", file, "-o", object]);
  rmSync(object, { force: true });
  if (status === 0) writeFileSync(kept, JSON.stringify({ key, log }));
  return { file, log, failed: status !== 0 };
}

function run(command, args) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
    child.on("close", (status) => done({ log, status }));
  });
}

async function main() {
  const compiler = spawnSync("nvcc", ["--version"], { encoding: "utf8" });
  if (compiler.status !== 0) {
    console.error("check:cuda: nvcc was not found. Install the CUDA toolkit (13.0) and put nvcc on PATH.");
    process.exit(5);
  }
  const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
  const asked = process.argv.find((word) => /^--jobs=\d+$/.test(word))?.slice("--jobs=".length);
  const jobs = Math.max(1, Number(asked ?? Math.min(availableParallelism(), 8)));
  const files = ["cuda", "native/test/cuda"]
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
    .filter((file) => file.endsWith(".cu") && (words.length === 0 || words.some((word) => file.includes(word))));
  mkdirSync(folder, { recursive: true });
  const queue = [...files];
  const results = [];
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) results.push(await compile(file, compiler.stdout));
  };
  await Promise.all(Array.from({ length: jobs }, work));

  const complaints = [];
  console.log(`${"kernel".padEnd(60)} registers / shared bytes on sm_${architectures.join(", ")}`);
  for (const { file, log, failed } of results.sort((a, b) => a.file.localeCompare(b.file))) {
    if (failed) complaints.push(`${file} does not compile:\n${log}`);
    const kernels = kernelsIn(log);
    const names = [...new Set(kernels.map((kernel) => kernel.name))];
    const plain = names.length > 0 ? readable(names) : [];
    console.log(file);
    for (const [i, name] of names.entries()) {
      const own = kernels.filter((kernel) => kernel.name === name).sort((a, b) => a.architecture - b.architecture);
      console.log(`  ${plain[i].padEnd(58)} ${own.map((k) => `${k.registers}/${k.shared}`).join("  ")}`);
      for (const k of own)
        if (k.spilled > 0) complaints.push(`${file}: ${plain[i]} spills ${k.spilled} bytes on sm_${k.architecture}`);
    }
  }
  for (const complaint of complaints) console.error(`check:cuda: ${complaint}`);
  if (files.length === 0) console.error(`check:cuda: no CUDA file matches ${words.join(" ")}.`);
  process.exit(complaints.length > 0 || files.length === 0 ? 1 : 0);
}

if (process.argv[1] === import.meta.filename) await main();
