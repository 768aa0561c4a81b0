/** Small batches for tests: inputs, the output tree as text, and processes that die where they are told to. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { volume } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { writeCtSeries } from "./dicom.ts";

export const smallGeometry = {
  beam: "parallel",
  bins: 47,
  binMm: 1,
  angles: { span: 180, count: 31 },
  image: { shape: [32, 32], pixelMm: 1 },
};

/** `count` sinogram files a.npy, b.npy, … and geometry.json (one folder up). Returns the folder. */
export async function writeSinograms(folder: string, count: number, slices = 2): Promise<string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "..", "geometry.json"), JSON.stringify(smallGeometry));
  for (let k = 0; k < count; k++) {
    const data = Float32Array.from({ length: slices * 31 * 47 }, (_, i) =>
      Math.max(0, 2 - Math.abs((i % 47) - 23 - k) / 8),
    );
    await writeNpy(join(folder, `${String.fromCharCode(97 + k)}.npy`), volume(data, [slices, 31, 47]));
  }
  return folder;
}

/** A disk of water with two pins of metal in every second slice. */
function phantom(size: number, series: number, slice: number): Int16Array {
  const at = (row: number, column: number) => {
    const isMetal = Math.hypot(row - 0.4 * size, column - 0.6 * size) < size / 20;
    if (slice % 2 === 1 && isMetal) return 6000;
    return Math.hypot(row - size / 2, column - size / 2) < 0.4 * size ? 40 + series : -1000;
  };
  return Int16Array.from({ length: size * size }, (_, i) => at(Math.floor(i / size), i % size));
}

/** `count` CT series, each in a folder of its own. Returns the series' UIDs. */
export function writeSeries(folder: string, count: number, { slices = 2, size = 32 } = {}): string[] {
  return Array.from({ length: count }, (_, k) => {
    const series = `1.2.3.${100 + k}`;
    writeCtSeries(join(folder, `patient${k}`), slices, (slice) => ({
      rows: size,
      columns: size,
      series,
      pixels: phantom(size, k, slice),
    }));
    return series;
  });
}

/** Every file of an output folder with its digest, one per line; what lies in logs/ is left out, empty folders count. */
export function treeOf(out: string): string {
  const lines = readdirSync(out, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const name = relative(out, path);
    if (!entry.isFile()) return `${name}/`;
    return `${name} ${createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16)}`;
  });
  return lines
    .filter((line) => !/^logs\//.test(line))
    .sort()
    .join("\n");
}

const mainUrl = pathToFileURL(resolve(import.meta.dirname, "../../lib/cli/main.ts")).href;
const faultsPath = join(import.meta.dirname, "faults.cjs");
const starter = `const { main } = await import(${JSON.stringify(mainUrl)}); process.exitCode = await main(process.argv.slice(1));`;

/** Starts a command line as a process in which changes below `folder` fail as `faults` says; see faults.cjs. */
export function startFaulty(faults: string, folder: string, ...args: string[]): ChildProcess {
  const node = ["--require", faultsPath, "--import", "tsx", "--input-type=module", "-e", starter, "--", ...args];
  return spawn(process.execPath, node, {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SINOGRAM_TEST_FAULTS: faults, SINOGRAM_TEST_FOLDER: folder },
  });
}
