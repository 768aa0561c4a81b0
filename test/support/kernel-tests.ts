/**
 * Builds the kernels' tests over native/test/simt: the program that runs CUDA kernels as checked C++. Objects stay in build/simt
 * and are made anew when the contents of what they were made from change.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "build/simt");
const cpu = join(root, "build/libsinogram_core.a"); // what kernels are compared with

/** The compiler's name, or why there is none. */
export function kernelCompiler(): { command: string; version: string } | { reason: string } {
  if (process.platform !== "linux") return { reason: `kernels are checked on Linux, not on ${process.platform}` };
  if (!existsSync(cpu)) return { reason: "the CPU's operations are not built: npm run setup" };
  const candidates = process.env["CXX"] ? [process.env["CXX"]] : ["g++", "clang++"];
  for (const command of candidates) {
    const version = spawnSync(command, ["--version"], { encoding: "utf8" });
    const probe = ["-std=c++17", "-fsanitize=thread,alignment", "-x", "c++", "-c", "-o", "/dev/null", "-"];
    if (version.status !== 0) continue;
    // clang before 15 does not instrument copies of structs
    if (/clang version (\d|1[0-4])\./.test(version.stdout)) continue;
    if (spawnSync(command, probe, { input: "int one = 1;" }).status === 0) return { command, version: version.stdout };
  }
  return { reason: `no C++17 compiler with -fsanitize=thread,alignment (tried ${candidates.join(", ")})` };
}

interface Unit {
  source: string;
  flags: readonly string[];
}

function units(): Unit[] {
  const list = (path: string) => readFileSync(join(root, path), "utf8").split("\n").filter(Boolean);
  const filesIn = (path: string, ending: string) =>
    readdirSync(join(root, path))
      .filter((name) => name.endsWith(ending))
      .map((name) => `${path}/${name}`);
  const common = ["-std=c++17", "-I.", "-Inative/test"];
  const checked = [...list("native/test/simt/flags.txt"), "-include", "native/test/simt/checked_copies.h", "-x", "c++"];
  return [
    ...filesIn("native/test/cuda", ".cu").map((source) => ({ source, flags: [...common, ...checked] })),
    ...list("cuda/sources.txt").map((source) => ({ source, flags: [...common, ...checked] })),
    ...filesIn("native/test/simt", ".cc").map((source) => ({ source, flags: [...common, "-O2", "-Wall", "-Wextra"] })),
  ];
}

/** Digest of a command and of every file the last compilation read (`.d`); null where one is missing, or newer than `before`. */
function digest(command: readonly string[], dependencies: string, before = Number.POSITIVE_INFINITY): string | null {
  if (!existsSync(dependencies)) return null;
  const hash = createHash("sha256").update(command.join("\0"));
  const text = readFileSync(dependencies, "utf8").replaceAll("\\\n", " ");
  for (const file of text.slice(text.indexOf(":") + 1).split(/\s+/)) {
    if (file === "" || file.startsWith("/usr/")) continue;
    if (!existsSync(join(root, file)) || statSync(join(root, file)).mtimeMs > before) return null;
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
    child.on("error", fail);
    child.on("close", (status) =>
      status === 0 ? done() : fail(new Error(`${command} ${args.join(" ")} failed:\n${log.slice(0, 8000)}`)),
    );
  });
}

/** Compiles where stale; returns the object and the digest of what is in it. */
async function object(compiler: { command: string; version: string }, unit: Unit) {
  const path = join(folder, `${unit.source.replaceAll("/", "_")}.o`);
  const own = `${path}.${process.pid}`;
  const command = [compiler.version, ...unit.flags, unit.source];
  const known = existsSync(`${path}.key`) ? readFileSync(`${path}.key`, "utf8") : "";
  const now = digest(command, `${path}.d`);
  if (existsSync(path) && now !== null && now === known) return { path, key: now };
  const started = Date.now();
  await run(compiler.command, [...unit.flags, "-MMD", "-MF", `${own}.d`, "-MT", "o", "-c", unit.source, "-o", own]);
  renameSync(`${own}.d`, `${path}.d`);
  renameSync(own, path);
  const key = digest(command, `${path}.d`, started) ?? `changed while it was compiled, ${started}`;
  writeFileSync(`${path}.key`, key);
  return { path, key };
}

/** Builds the program, two files at a time; returns its path. */
export async function buildKernelTests(compiler: { command: string; version: string }): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const queue = units();
  const objects: { path: string; key: string }[] = [];
  const work = async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) objects.push(await object(compiler, unit));
  };
  await Promise.all([work(), work()]);
  objects.sort((a, b) => a.path.localeCompare(b.path));
  const program = join(folder, "sinogram_simt_test");
  const twins = createHash("sha256").update(readFileSync(cpu)).digest("hex");
  const key = [...objects.map((o) => `${o.path} ${o.key}`), twins].join("\n");
  if (existsSync(program) && existsSync(`${program}.key`) && readFileSync(`${program}.key`, "utf8") === key)
    return program;
  const own = `${program}.${process.pid}`;
  await run(compiler.command, [...objects.map((o) => o.path), cpu, "-pthread", "-ldl", "-o", own]);
  renameSync(own, program);
  writeFileSync(`${program}.key`, key);
  return program;
}
