// `npm run bench:python [-- flags of bench/compare/compare.bench.ts]`: makes .venv with the packages of bench/python/requirements.txt
// (what is there already is left alone, what cannot be installed is named and skipped), then runs the Python side alone. Afterwards
// `npm run bench -- compare` runs sinogram and its peers in turn. `--setup` only installs.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setupPackages } from "./setup.mjs";

const root = resolve(import.meta.dirname, "..");
const windows = process.platform === "win32";
const python = join(root, ".venv", windows ? "Scripts/python.exe" : "bin/python");
const torchIndex = "https://download.pytorch.org/whl/cpu";

function makeEnvironment() {
  if (existsSync(python)) return;
  const base = process.env["PYTHON"] ?? (windows ? "python" : "python3");
  console.log(`bench:python: making .venv with ${base}`);
  const made = spawnSync(base, ["-m", "venv", join(root, ".venv")], { encoding: "utf8" });
  if (made.status === 0) return;
  console.error(
    `bench:python: ${base} -m venv failed: ${(made.stderr || made.error?.message || "").trim()}\n` +
      "Install Python 3.10 or newer with venv (Debian: apt install python3-venv), or name one in PYTHON.",
  );
  process.exit(1);
}

/** The packages bring JavaScript and JSON of their own, which `npm run lint` is not to judge. */
function keepLintOut() {
  const off = { enabled: false };
  const settings = { root: false, linter: off, formatter: off, assist: off };
  writeFileSync(join(root, ".venv/biome.json"), JSON.stringify(settings));
}

const pip = (...args) => spawnSync(python, ["-m", "pip", ...args], { encoding: "utf8", maxBuffer: 1 << 26 });

function installed() {
  const listed = pip("list", "--format", "json", "--disable-pip-version-check");
  return new Map(JSON.parse(listed.stdout).map(({ name, version }) => [name.toLowerCase(), version.split("+")[0]]));
}

/** The ways to get a package, the first that works. PyPI's torch for Linux brings gigabytes of CUDA, so its CPU builds come first. */
function waysTo(requirement) {
  if (!requirement.startsWith("torch==")) return [[requirement]];
  return [[`${requirement}+cpu`], [`${requirement}+cpu`, "--extra-index-url", torchIndex], [requirement]];
}

function install(requirement) {
  let reason = "";
  for (const way of waysTo(requirement)) {
    const quick = ["--retries", "1", "--timeout", "60", "--disable-pip-version-check"];
    const run = pip("install", "--only-binary=:all:", ...quick, ...way);
    if (run.status === 0) return undefined;
    reason = run.stderr.split("\n").findLast((line) => line.startsWith("ERROR")) ?? `pip ended with ${run.status}`;
  }
  return reason;
}

makeEnvironment();
keepLintOut();
const requirements = readFileSync(join(root, "bench/python/requirements.txt"), "utf8")
  .split("\n")
  .map((line) => line.trim())
  .filter((line) => line && !line.startsWith("#"));
const there = installed();
const missing = [];
for (const requirement of requirements) {
  const [name, version] = requirement.split("==");
  if (there.get(name) === version) continue;
  console.log(`bench:python: installing ${requirement}`);
  const reason = install(requirement);
  if (reason) missing.push(`${requirement}: ${reason}`);
}
for (const line of missing) console.log(`bench:python: without ${line}`);
console.log(`bench:python: ${requirements.length - missing.length} of ${requirements.length} packages are there`);
const flags = process.argv.slice(2);
if (flags.includes("--setup")) process.exit(0);
setupPackages();
const compare = ["--import", "tsx", "bench/compare/compare.bench.ts", "--peers", ...flags];
process.exit(spawnSync(process.execPath, compare, { cwd: root, stdio: "inherit" }).status ?? 1);
