/**
 * One line per case and method, kept as they are made, so that an interrupted bench goes on. A line counts while the code that made it is
 * the same: the addon, lib, the network of auto, and the simulator of the mismatch suite.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SliceVerdict } from "../../lib/mar/index.ts";
import { simulatorHash } from "../mismatch/pairs.ts";
import type { Score } from "./score.ts";

export interface Record extends Score {
  case: string;
  method: string;
  /** What the tables group by: patient, material, photons, size, level … */
  labels: { readonly [name: string]: string };
  /** Processor time, and by the clock. */
  processorSeconds: number;
  seconds: number;
  verdict?: SliceVerdict;
}

const root = join(import.meta.dirname, "../..");

/** Of the addon that runs, the TypeScript around it, and the scans. */
export function codeHash(): string {
  const hash = createHash("sha256");
  const addon = process.env["SINOGRAM_ADDON"] ?? join(root, "build/Release/sinogram.node");
  if (existsSync(addon)) hash.update(readFileSync(addon));
  for (const folder of ["lib/mar", "lib/tomography", "lib/physics"])
    for (const name of readdirSync(join(root, folder), { recursive: true }).map(String).sort())
      if (name.endsWith(".ts")) hash.update(readFileSync(join(root, folder, name)));
  hash.update(readFileSync(join(root, "models/ct-prior/weights.safetensors")));
  return hash.update(simulatorHash()).digest("hex").slice(0, 16);
}

export class Records {
  readonly #path: string;
  readonly #code = codeHash();
  readonly #found = new Map<string, Record>();

  /** With `anyCode` the last line of a case and method counts, whatever made it. */
  constructor(path: string, { anyCode = false } = {}) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) return;
    for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
      const { code, ...record } = JSON.parse(line) as Record & { code: string };
      if (anyCode || code === this.#code) this.#found.set(`${record.case} ${record.method}`, record);
    }
  }

  get(item: string, method: string): Record | undefined {
    return this.#found.get(`${item} ${method}`);
  }

  add(record: Record): void {
    this.#found.set(`${record.case} ${record.method}`, record);
    appendFileSync(this.#path, `${JSON.stringify({ ...record, code: this.#code })}\n`);
  }
}
