/** `sinogram doctor`: what this machine has, what is missing, what to type. Every probe gives a finding, none throws. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { version } from "../core/version.ts";
import { type AddonDescription, addon, addonCandidates } from "../native/addon.ts";
import type { Command } from "./command.ts";
import { exitCodes } from "./failure.ts";

interface Finding {
  name: string;
  /** What was found; absent where nothing was. */
  found?: string;
  /** What it is for. */
  purpose: string;
  /** What to do about it where it is missing. */
  type?: string;
}

export interface Diagnosis {
  usable: boolean;
  version: string;
  system: {
    node: string;
    npm?: string;
    platform: string;
    os: string;
    glibc?: string;
    cpu: string;
    processors: number;
    memory: number;
  };
  addon: { path?: string; loads: boolean; reason?: string } & Partial<AddonDescription>;
  tools: Finding[];
  packages: Finding[];
}

const execute = promisify(execFile);

/** The first line of `command --version` that has a number in it; undefined where the command is not there. */
async function versionOf(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await execute(command, args.length > 0 ? args : ["--version"], { timeout: 10_000 });
    const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => /\d/.test(line));
    return (lines.find((line) => /release|version|\d+\.\d+/.test(line)) ?? lines[0] ?? "").trim();
  } catch {
    return undefined; // not there, or does not run: the finding says how to install it
  }
}

async function findTools(): Promise<Finding[]> {
  const compilers = [process.env["CXX"], "c++", "g++", "clang++"].filter((name) => name !== undefined);
  const [cmake, ninja, make, nvcc, driver, ...compiled] = await Promise.all([
    versionOf("cmake"),
    versionOf("ninja"),
    versionOf("make"),
    versionOf(process.env["CUDACXX"] ?? "nvcc").then((found) => found ?? versionOf("/usr/local/cuda/bin/nvcc")),
    versionOf("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
    ...compilers.map((name) => versionOf(name)),
  ]);
  const builder = ninja ? `ninja ${ninja}` : make;
  const known = (name: string, found: string | undefined, purpose: string, type: string): Finding => ({
    name,
    purpose,
    ...(found ? { found } : { type }),
  });
  return [
    known("CMake", cmake, "builds the addon; 3.18 or newer", "apt install cmake (macOS: brew install cmake)"),
    known(
      "C++ compiler",
      compiled.find(Boolean),
      "builds the addon; C++20",
      "apt install g++ (macOS: xcode-select --install)",
    ),
    known("make or ninja", builder, "builds the addon", "apt install make"),
    known("nvcc", nvcc, "optional, builds the CUDA part", "install the CUDA toolkit, then npm run build:native"),
    known("NVIDIA driver", driver, "optional, runs the CUDA part", "install the driver of your GPU"),
  ];
}

const packages = [
  ["dcmjs-codecs", "compressed DICOM: JPEG, JPEG-LS, JPEG 2000"],
  ["h5wasm", "HDF5 and MATLAB 7.3 files"],
  ["geotiff", "TIFF images"],
  ["onnxruntime-node", "networks: training and applying them"],
  ["fast-png", "PNG images, the report's pictures"],
  ["dicom-parser", "DICOM"],
  ["ndarray", "arrays"],
  ["zod", "geometry files"],
  ["commander", "this command line"],
] as const;

function findPackages(): Finding[] {
  const require = createRequire(import.meta.url);
  return packages.map(([name, purpose]) => {
    const file = (require.resolve.paths(name) ?? [])
      .map((p) => join(p, name, "package.json"))
      .find((p) => existsSync(p));
    if (!file) return { name, purpose, type: `npm install ${name}` };
    try {
      return { name, purpose, found: String((JSON.parse(readFileSync(file, "utf8")) as { version: string }).version) };
    } catch (error) {
      return { name, purpose, type: `npm install ${name} (${file} cannot be read: ${(error as Error).message})` };
    }
  });
}

function findAddon(): Diagnosis["addon"] {
  const path = addonCandidates().find((candidate) => existsSync(candidate));
  try {
    return { ...(path ? { path } : {}), loads: true, ...addon().describe() };
  } catch (error) {
    return { ...(path ? { path } : {}), loads: false, reason: (error as Error).message };
  }
}

function glibc(): string | undefined {
  try {
    const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return report.header?.glibcVersionRuntime;
  } catch {
    return undefined; // reports can be switched off; other C libraries have no such entry
  }
}

function osName(): string {
  try {
    return /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? release();
  } catch {
    return release(); // not Linux
  }
}

export async function diagnose(): Promise<Diagnosis> {
  const [tools, npm] = await Promise.all([findTools(), versionOf("npm")]);
  const library = glibc();
  const found = findAddon();
  return {
    usable: found.loads,
    version,
    system: {
      node: process.version,
      ...(npm ? { npm } : {}),
      platform: `${process.platform}-${process.arch}`,
      os: osName(),
      ...(library ? { glibc: library } : {}),
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      processors: availableParallelism(),
      memory: totalmem(),
    },
    addon: found,
    tools,
    packages: findPackages(),
  };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const line = (label: string, text: string): string => `  ${label.padEnd(16)} ${text}`;

export function diagnosisText({ usable, system, addon: native, tools, packages: found, ...rest }: Diagnosis): string {
  const list = (findings: Finding[]) =>
    findings.map(({ name, found: is, purpose, type }) => line(name, is ? `${is}` : `missing (${purpose}): ${type}`));
  const devices = (native.devices ?? []).map(({ name, description, usable: works, reason }) =>
    line(name, works ? description : `not usable: ${reason}`),
  );
  const cuda = native.cuda ? "built in" : "not built in: needs nvcc at build time, then npm run build:native";
  return [
    `sinogram ${rest.version}`,
    "",
    "System",
    line("Node", `${system.node}, npm ${system.npm ?? "missing: it comes with Node, see https://nodejs.org"}`),
    line("platform", `${system.platform}, ${system.os}${system.glibc ? `, glibc ${system.glibc}` : ""}`),
    line("processor", `${system.cpu}, ${system.processors} usable`),
    line("memory", gib(system.memory)),
    "",
    "Native addon",
    line("file", native.path ?? "missing: npm run build:native"),
    ...(native.loads
      ? [
          line("loads", `yes, built by ${native.compiler}`),
          line("SIMD", native.simd ?? "?"),
          line("threads", `${native.threads}`),
          line("memory limit", gib(native.memoryLimit ?? 0)),
          line("CUDA", cuda),
        ]
      : [line("loads", `no: ${native.reason}`)]),
    "",
    "Devices",
    ...(devices.length > 0 ? devices : [line("none", "the addon does not load")]),
    "",
    "To build the addon",
    ...list(tools),
    "",
    "Packages",
    ...list(found),
    "",
    usable ? "sinogram is usable." : "sinogram is not usable yet: the native addon does not load (see above).",
    "",
  ].join("\n");
}

export function doctor(): Command {
  return async ({ console }) => {
    const diagnosis = await diagnose();
    await console.result(diagnosis, diagnosisText(diagnosis));
    return diagnosis.usable ? exitCodes.ok : exitCodes.device;
  };
}
