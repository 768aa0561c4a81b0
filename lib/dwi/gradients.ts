/** The b-table of a diffusion scan: FSL's bval and bvec files, shells of like b-value, and directions that nearly agree. */
import { readFile } from "node:fs/promises";
import { show, sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";

export type Direction = readonly [x: number, y: number, z: number];

export interface Gradients {
  /** s/mm², one per volume. */
  readonly bvals: readonly number[];
  /** Unit vectors, one per volume; zero vectors where there is no gradient. */
  readonly directions: readonly Direction[];
}

export interface Shell {
  /** Mean b-value, s/mm². */
  readonly b: number;
  /** Volumes, in their order. */
  readonly volumes: readonly number[];
}

/** Below this a volume counts as unweighted, s/mm². */
export const unweighted = 50;
/** How far a b-value may be from that of its shell. */
export const shellTolerance = 100;

/**
 * Reads a b-table. The directions may be three rows (FSL) or three columns. Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT where a file has
 * something else than numbers, where counts differ from each other or from `volumes`, or where a weighted volume has no direction.
 */
export async function readGradients(bvalPath: string, bvecPath: string, volumes?: number): Promise<Gradients> {
  const bvals = (await readRows(bvalPath)).flat();
  const rows = await readRows(bvecPath);
  const count = volumes ?? bvals.length;
  if (bvals.length !== count)
    throw formatError(bvalPath, `expected ${count} b-values, one per volume, but found ${bvals.length}.`);
  const bad = bvals.find((b) => !(b >= 0));
  if (bad !== undefined) throw formatError(bvalPath, `expected b-values from 0 up but found ${bad}.`);
  const directions = directionsOf(rows, count, bvecPath).map((direction, i) => unit(direction, bvals[i]!, i, bvecPath));
  return { bvals, directions };
}

async function readRows(path: string): Promise<number[][]> {
  const text = await readFile(path, "utf8").catch((error) => {
    throw ioError("read", path, error);
  });
  const rows = text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => line.split(/[\s,]+/).map((word) => (word === "" ? Number.NaN : Number(word))));
  if (rows.length === 0) throw formatError(path, "expected numbers but the file is empty.");
  if (rows.flat().some((x) => !Number.isFinite(x)))
    throw formatError(
      path,
      "expected numbers but found something else. It should be a text file of b-values or directions.",
    );
  return rows;
}

function directionsOf(rows: number[][], count: number, path: string): Direction[] {
  const isRows = rows.length === 3 && rows.every((row) => row.length === count);
  const isColumns = rows.length === count && rows.every((row) => row.length === 3);
  if (isRows) return Array.from({ length: count }, (_, i) => [rows[0]![i]!, rows[1]![i]!, rows[2]![i]!]);
  if (isColumns) return rows.map((row) => [row[0]!, row[1]!, row[2]!]);
  throw formatError(path, `expected 3 rows of ${count} numbers or ${count} rows of 3 but found ${sizes(rows)}.`);
}

function sizes(rows: number[][]): string {
  const lengths = [...new Set(rows.map((row) => row.length))];
  return `${rows.length} rows of ${lengths.join(" or ")}`;
}

function unit(direction: Direction, b: number, volume: number, path: string): Direction {
  const length = Math.hypot(...direction);
  if (b <= unweighted) return length > 0 ? scaled(direction, 1 / length) : direction;
  if (length > 0.5 && length < 2) return scaled(direction, 1 / length);
  throw formatError(path, `volume ${volume} has b = ${b} but its direction ${show([...direction])} is no unit vector.`);
}

function scaled([x, y, z]: Direction, by: number): Direction {
  return [x * by, y * by, z * by];
}

function formatError(path: string, sentence: string): Error {
  return sinoError("ERR_SINO_IO_FORMAT", `${path}: ${sentence}`, { details: { file: path } });
}

/**
 * Volumes of like b-value: unweighted ones first (b = 0), then shells in the order of their b. A b-value belongs to a shell while it is
 * within `tolerance` of the lowest one in it.
 */
export function shellsOf(bvals: readonly number[], tolerance = shellTolerance): Shell[] {
  const order = bvals.map((_, i) => i).sort((i, j) => bvals[i]! - bvals[j]! || i - j);
  const groups: number[][] = [];
  for (const volume of order) {
    const b = bvals[volume]!;
    const first = bvals[groups.at(-1)?.[0] ?? -1] ?? Number.NEGATIVE_INFINITY;
    const joins = b <= unweighted ? first >= 0 : first > unweighted && b - first <= tolerance;
    if (joins) groups.at(-1)!.push(volume);
    else groups.push([volume]);
  }
  return groups.map((group) => {
    const mean = group.reduce((sum, volume) => sum + bvals[volume]!, 0) / group.length;
    return { b: mean <= unweighted ? 0 : mean, volumes: group.sort((i, j) => i - j) };
  });
}

/**
 * The weighted shell whose b-value is next to `b`, or the largest one without it. Throws ERR_SINO_OUT_OF_RANGE where there is none within
 * `tolerance`, saying which there are.
 */
export function shellNear(shells: readonly Shell[], b?: number, tolerance = shellTolerance): Shell {
  const weighted = shells.filter((shell) => shell.b > 0);
  const found =
    b === undefined
      ? weighted.toSorted((s, t) => t.volumes.length - s.volumes.length)[0]
      : weighted.toSorted((s, t) => Math.abs(s.b - b) - Math.abs(t.b - b))[0];
  if (found && (b === undefined || Math.abs(found.b - b) <= tolerance)) return found;
  const there = weighted.map((shell) => `${shell.b.toFixed(0)} (${shell.volumes.length} volumes)`).join(", ") || "none";
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected a shell ${b === undefined ? "of weighted volumes" : `of b = ${b} ± ${tolerance}`} but found: ${there}.`,
    { details: { b, shells: weighted.map((shell) => shell.b) } },
  );
}

/**
 * For every volume of a shell the other one whose direction is nearest, by |cosine|: g and −g measure the same. Throws
 * ERR_SINO_OUT_OF_RANGE for a shell of one direction.
 */
export function nearestPairs(
  { volumes }: Shell,
  directions: readonly Direction[],
): [volume: number, nearest: number][] {
  if (volumes.length < 2)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected at least two directions in a shell but found ${volumes.length}: there is nothing to pair volumes with.`,
    );
  const cosine = (i: number, j: number) => {
    const [a, b] = [directions[i]!, directions[j]!];
    return Math.abs(a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
  };
  return volumes.map((i) => {
    const others = volumes.filter((j) => j !== i);
    return [i, others.reduce((best, j) => (cosine(i, j) > cosine(i, best) ? j : best))];
  });
}
