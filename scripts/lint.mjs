// `npm run lint`: formatting and lint of TypeScript (Biome) and C++ (clang-format), the type check, and the rules of the map that
// no tool knows. `--fix` (npm run format) rewrites instead of complaining.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { setupPackages } from "./setup.mjs";

const root = resolve(import.meta.dirname, "..");
const fix = process.argv.includes("--fix");
const complaints = [];
setupPackages();

function files(folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

function run(name, script, args) {
  const result = spawnSync(process.execPath, [join(root, "node_modules", script), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (result.status !== 0) complaints.push(`${name} failed`);
}

run("biome", "@biomejs/biome/bin/biome", ["check", ...(fix ? ["--write"] : ["--error-on-warnings"]), "."]);
run("tsc", "typescript/bin/tsc", ["-p", "tsconfig.json", "--noEmit"]);
const cpp = [...files("native", /\.(h|cc|inl|cu|cuh)$/), ...files("cuda", /\.(h|cu|cuh)$/)];
run("clang-format", "clang-format-node/build/cli.js", [...(fix ? ["-i"] : ["--dry-run", "-Werror"]), ...cpp]);

// Includes and imports point one way: napi → recon → backend → (cpu | cuda) → ops → geometry → core; runtime is below backend.
const level = { core: 0, geometry: 1, runtime: 1, ops: 2, cpu: 3, cuda: 3, backend: 4, recon: 5, napi: 6, test: 7 };
const levelOf = (file) => level[file.startsWith("cuda/") ? "cuda" : file.split("/")[1]];
const mayLookUp = new Set(["cuda/backend.cu"]); // CUDA's part of the registry
for (const file of cpp) {
  const text = readFileSync(join(root, file), "utf8");
  for (const [, included] of text.matchAll(/#include "([^"]+)"/g)) {
    if (!/^(native|cuda)\//.test(included))
      complaints.push(`${file} includes "${included}": write the path from the root`);
    else if (levelOf(included) > levelOf(file) && !mayLookUp.has(file))
      complaints.push(`${file} includes ${included}, which stands above it`);
  }
  if (text.includes("<napi.h>") && !file.startsWith("native/napi/"))
    complaints.push(`${file} includes <napi.h> outside native/napi`);
}

// Others in the process, onnxruntime among them, may use the same card.
for (const file of files("cuda", /\.(h|cu|cuh)$/))
  if (/cudaDeviceReset/.test(readFileSync(join(root, file), "utf8")))
    complaints.push(`${file} resets a device, and with it what others of the process have there`);

// A stem names an idea: every operation has its header, its CPU twin and a parity test.
for (const header of files("native/ops", /\.h$/)) {
  const stem = basename(header, ".h");
  for (const twin of [`native/cpu/${stem}.cc`, `test/parity/${stem.replaceAll("_", "-")}.test.ts`])
    if (!files(dirname(twin), /./).includes(twin)) complaints.push(`${header} has no twin ${twin}`);
}

// Every operation of the table has a kernel.
const named = (file, pattern) =>
  new Set(Array.from(readFileSync(join(root, file), "utf8").matchAll(pattern), ([, name]) => name));
const kernels = named("cuda/backend.cu", /SINO_KERNEL\((\w+),/g);
for (const name of named("native/backend/backend.h", /^ {2}X\((\w+), \w+Args\)/gm))
  if (!kernels.has(name)) complaints.push(`native/backend/backend.h: ${name} has no kernel in cuda/backend.cu`);

// Every C++ file is in a source list, and every listed file exists.
const listed = ["native/sources.txt", "native/napi/sources.txt", "cuda/sources.txt"].flatMap((list) =>
  readFileSync(join(root, list), "utf8").split("\n").filter(Boolean),
);
const compiled = [...files("native", /\.cc$/), ...files("cuda", /\.cu$/)].filter(
  (file) => !file.startsWith("native/test/"),
);
for (const file of compiled) if (!listed.includes(file)) complaints.push(`${file} is in no sources.txt`);
for (const file of listed) if (!compiled.includes(file)) complaints.push(`${file} is listed but does not exist`);

// Only lib/native/addon.ts loads the addon.
for (const file of files("lib", /\.ts$/))
  if (/createRequire|process\.dlopen/.test(readFileSync(join(root, file), "utf8")) && file !== "lib/native/addon.ts")
    if (!file.startsWith("lib/cli/") && !file.startsWith("lib/data/") && file !== "lib/core/version.ts")
      complaints.push(`${file} loads modules by require`);

if (complaints.length > 0) {
  console.error(`\n${complaints.map((line) => `lint: ${line}`).join("\n")}`);
  process.exit(1);
}
console.log("lint: clean");
