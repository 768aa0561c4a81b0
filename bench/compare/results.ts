/** The results file: written after every row, so that an interrupted run goes on where it stopped. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Agreement } from "./agreement.ts";
import type { Machine } from "./machine.ts";
import type { Spread } from "./statistics.ts";

export interface Measured {
  name: string;
  /** Milliseconds of one call (all slices). */
  wall?: Spread;
  cpu?: Spread;
  /** Their time over ours, turn by turn; absent for ours. */
  ratio?: Spread;
  /** Distance to our result. */
  agreement?: Agreement & { bound: number };
  /** Relative L2 distance to the closed form. */
  error?: number;
  /** Why there is no time. */
  skipped?: string;
}

export interface Row {
  id: string;
  table: string;
  operation: string;
  threads: number;
  slices: number;
  work: number;
  unit: string;
  measured: string;
  revision: string;
  /** Load average of the machine before and after. */
  load: [number, number];
  contenders: Measured[];
}

export interface Results {
  machine: Machine;
  versions: Record<string, string>;
  rows: Row[];
}

export const keyOf = (row: { id: string; threads: number }): string => `${row.id} on ${row.threads}`;

export function readResults(path: string, machine: Machine): Results {
  if (!existsSync(path)) return { machine, versions: {}, rows: [] };
  return JSON.parse(readFileSync(path, "utf8")) as Results;
}

/** Replaces the row of the same key, or adds it, and writes the file. */
export function putRow(results: Results, row: Row, path: string): void {
  const at = results.rows.findIndex((other) => keyOf(other) === keyOf(row));
  if (at >= 0) results.rows[at] = row;
  else results.rows.push(row);
  writeResults(results, path);
}

export function writeResults(results: Results, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const text = JSON.stringify(
    results,
    (_, value) => (typeof value === "number" ? Number(value.toPrecision(5)) : value),
    1,
  );
  writeFileSync(`${path}.part`, `${text}\n`);
  renameSync(`${path}.part`, path);
}
