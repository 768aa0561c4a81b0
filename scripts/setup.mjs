// Makes a fresh clone ready: packages when node_modules is stale, the native addon when its sources changed, dist/ when
// lib/ changed. Plain Node without dependencies; quick when there is nothing to do. `--native` or `--ts` force one build.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(import.meta.dirname, "..");
const at = (...parts) => join(root, ...parts);

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(`\nsetup: ${text}`);
  process.exit(1);
}

/** Runs a command in the project's folder; its output is shown only when it fails, or when SINOGRAM_VERBOSE is set. */
function run(what, command, args, advice, env = {}) {
  const started = Date.now();
  process.stderr.write(`setup: ${what} … `);
  const verbose = Boolean(process.env["SINOGRAM_VERBOSE"]);
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: verbose ? ["ignore", process.stderr, process.stderr] : ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 1 << 28,
    shell: process.platform === "win32",
  });
  if (result.status === 0) {
    say(`${((Date.now() - started) / 1000).toFixed(1)} s`);
    return `${result.stdout ?? ""}${result.stderr ?? ""}`;
  }
  say("failed");
  if (!verbose) say(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  fail(`${what} failed (${command} ${args.join(" ")}${result.error ? `: ${result.error.message}` : ""}). ${advice}`);
}

function filesUnder(folder, keep) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && keep(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Digest of names and contents: a checkout with new time stamps but old contents needs no rebuild. */
function digest(files, ...extra) {
  const hash = createHash("sha256");
  for (const text of extra) hash.update(`${text}\0`);
  for (const file of files)
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  return hash.digest("hex");
}

const stampOf = (name) => at("build", `.${name}-stamp`);
const isFresh = (name, value) => existsSync(stampOf(name)) && readFileSync(stampOf(name), "utf8") === value;
function stamp(name, value) {
  mkdirSync(at("build"), { recursive: true });
  writeFileSync(stampOf(name), value);
}

export function setupPackages() {
  // npm writes node_modules/.package-lock.json last: older than the lockfile, or absent, means stale.
  const lock = at("package-lock.json");
  const installed = at("node_modules/.package-lock.json");
  if (!existsSync(lock)) return; // an installed package, not a checkout
  const value = digest([lock]);
  if (existsSync(installed) && (isFresh("packages", value) || statSync(installed).mtimeMs >= statSync(lock).mtimeMs))
    return;
  if (existsSync(at("node_modules")) && lstatSync(at("node_modules")).isSymbolicLink())
    fail("node_modules is a link and stale; npm ci would empty what it points to. Remove the link and run this again.");
  run("npm ci", "npm", ["ci", "--no-audit", "--no-fund"], "Check the npm registry setting and the network.", {
    ONNXRUNTIME_NODE_INSTALL: "skip",
  });
  stamp("packages", value);
}

export function setupNative({ force = false } = {}) {
  const sources = [
    ...filesUnder(at("native"), (name) => /\.(h|cc|inl|txt)$/.test(name)),
    ...filesUnder(at("cuda"), (name) => /\.(h|cu|cuh|txt)$/.test(name)),
    at("CMakeLists.txt"),
  ];
  const cuda = process.env["SINO_CUDA"] ?? "AUTO";
  const addon = at("build/Release/sinogram.node");
  const value = digest(sources, process.version.split(".")[0], process.arch, cuda);
  if (!force && existsSync(addon) && isFresh("native", value)) return;
  if (spawnSync("cmake", ["--version"]).status !== 0)
    fail(
      "CMake was not found. Install CMake 3.18 or newer and a C++20 compiler (Debian: apt install cmake g++), then run this again.",
    );
  // as an installed package its own dependencies may lie further up
  const tool = join(dirname(createRequire(import.meta.url).resolve("cmake-js/package.json")), "bin/cmake-js");
  const advice = "It needs a C++20 compiler (GCC 11, Clang 14 or newer). SINO_CUDA=OFF leaves CUDA out.";
  // configure every time: `build` alone ignores changed options once a cache exists
  const options = ["--out", at("build"), `--CDSINO_CUDA=${cuda}`];
  const log = run("configuring the native addon", process.execPath, [tool, "configure", ...options], advice);
  const summary = log.split("\n").find((line) => line.includes("-- sinogram: "));
  if (summary) say(`setup: ${summary.slice(summary.indexOf("sinogram: "))}`);
  run("building the native addon", process.execPath, [tool, "build", ...options], advice);
  stamp("native", value);
}

export function setupTypeScript({ force = false } = {}) {
  if (!existsSync(at("lib"))) return;
  const sources = [
    ...filesUnder(at("lib"), (name) => /\.(ts|cts|html|css)$/.test(name)),
    at("tsconfig.build.json"),
    at("tsconfig.json"),
  ];
  const value = digest(sources);
  if (!force && existsSync(at("dist/index.js")) && isFresh("ts", value)) return;
  run(
    "compiling lib/",
    process.execPath,
    [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json")],
    "Fix the errors above.",
  );
  stamp("ts", value);
}

export function setup() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node ${process.versions.node} is too old; sinogram needs 20.19 or newer.`);
  setupPackages();
  setupNative();
  setupTypeScript();
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const flags = process.argv.slice(2);
  if (flags.length === 0) setup();
  else {
    setupPackages();
    if (flags.includes("--native")) setupNative({ force: true });
    if (flags.includes("--ts")) setupTypeScript({ force: true });
  }
}
