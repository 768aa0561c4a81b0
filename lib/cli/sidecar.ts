/** The record beside an output: what it was made from, how, and how long it took. */
import { readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { version } from "../core/version.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { geometryToJson } from "../tomography/geometry-file.ts";
import { type Run, stem } from "./command.ts";
import { toJson } from "./console.ts";
import { realPathOf } from "./outputs.ts";

export interface RecordFields {
  command: string;
  /** Of the output's values: "1/mm", "HU", or "1" for sinograms. */
  unit: string;
  inputs: object;
  outputs: readonly string[];
  geometry: Geometry;
  /** Whatever else belongs to this command: µ of water, method, filter, figures. */
  details: object;
  seconds: Record<string, number>;
}

/** The record as JSON text. */
export function recordText(fields: RecordFields, { console, options }: Run): string {
  const { command, unit, inputs, outputs, geometry, details, seconds } = fields;
  return `${toJson({
    software: "sinogram",
    version,
    command,
    inputs,
    outputs,
    unit,
    ...details,
    device: options.device ?? "auto",
    geometry: geometryToJson(geometry),
    warnings: console.warnings,
    seconds,
  })}\n`;
}

/**
 * I.npy → I.json; where a file of that name is there that is not such a record, or is an input, I.npy.json instead.
 */
export async function sidecarPath(path: string, inputs: readonly string[]): Promise<string> {
  const first = join(dirname(path), `${stem(path)}.json`);
  const real = await realpath(first).catch(() => undefined);
  if (!real) return first;
  const inputPaths = await Promise.all(inputs.map(realPathOf));
  const isOurs = !inputPaths.includes(real) && (await isRecord(first));
  return isOurs ? first : `${path}.json`;
}

async function isRecord(path: string): Promise<boolean> {
  try {
    return (JSON.parse(await readFile(path, "utf8")) as { software?: unknown }).software === "sinogram";
  } catch {
    return false; // not JSON, or not readable: not a record either way
  }
}
