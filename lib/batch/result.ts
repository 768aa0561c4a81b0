/** The documents beside results: done.json proves what they were made from, failed.json says why there are none. */

import { readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ioError, writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { type Checksum, checksumOf, fileChecksum } from "./checksum.ts";
import type { JobFailure, PlannedJob } from "./job.ts";
import { donePath, failedPath, redoPath } from "./layout.ts";

export interface DoneRecord {
  software: "sinogram";
  version: string;
  task: string;
  id: string;
  input: string;
  configHash: string;
  inputDigest: string;
  /** By file name. */
  outputs: Record<string, Checksum>;
  slices: number;
  warnings: readonly string[];
  /** What the task has to say: options, µ of water, geometry. */
  [detail: string]: unknown;
}

export interface FailedRecord extends JobFailure {
  software: "sinogram";
  version: string;
  task: string;
  id: string;
  input: string;
  configHash: string;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, "utf8").catch((error) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw ioError("read", path, error);
  });
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text) as T & { software?: unknown };
    return found.software === "sinogram" ? found : undefined;
  } catch {
    return undefined; // not ours, or damaged: proves nothing
  }
}

export const readDone = (target: string): Promise<DoneRecord | undefined> => readJson<DoneRecord>(donePath(target));
export const readFailed = (target: string): Promise<FailedRecord | undefined> =>
  readJson<FailedRecord>(failedPath(target));

/** The folder was made by a batch, or there is nothing in it to lose. */
export async function isOurs(target: string): Promise<boolean> {
  const names: string[] = await readdir(target).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw ioError("write", target, error);
  });
  if (names.length === 0) return true;
  for (const path of [donePath(target), failedPath(target), redoPath(target)])
    if (names.includes(basename(path)) && (await readJson(path))) return true;
  return false;
}

/** What done.json says is there, by name. */
export async function hasOutputs(target: string, { outputs }: DoneRecord): Promise<boolean> {
  const names = new Set<string>(await readdir(target).catch(() => []));
  return Object.keys(outputs).every((name) => names.has(name));
}

/** Of every file in a folder; of some it is `known`. */
export async function outputChecksums(
  folder: string,
  signal?: AbortSignal,
  known: Readonly<Record<string, Checksum>> = {},
): Promise<Record<string, Checksum>> {
  const checksums: Record<string, Checksum> = {};
  for (const name of (await readdir(folder)).sort())
    checksums[name] = known[name] ?? (await fileChecksum(join(folder, name), signal));
  return checksums;
}

/** Writes a file and says what was written, without reading it again. Throws ERR_SINO_IO. */
export async function writeWithChecksum(path: string, ...chunks: Uint8Array[]): Promise<Checksum> {
  await writeFileAtomic(path, ...chunks);
  return checksumOf(chunks);
}

/** Names of outputs that are not what done.json says any more. */
export async function changedOutputs(target: string, { outputs }: DoneRecord, signal?: AbortSignal): Promise<string[]> {
  const changed: string[] = [];
  for (const [name, { xxh64 }] of Object.entries(outputs)) {
    const found = await fileChecksum(join(target, name), signal).catch(() => undefined);
    if (found?.xxh64 !== xxh64) changed.push(name);
  }
  return changed;
}

/** The text of failed.json. */
export function failedText({ task, id, input, configHash }: PlannedJob, { code, message }: JobFailure): string {
  const record: FailedRecord = { software: "sinogram", version, task, id, input, configHash, code, message };
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** Before a job is tried again: its failure is history. */
export async function forgetFailure(target: string): Promise<void> {
  if (!(await readFailed(target))) return;
  await rm(failedPath(target), { force: true });
  await rmdir(target).catch(() => undefined); // unless an older result lies there
}

/** The result stays until a new one takes its place, but does not count as done. */
export async function forgetDone(target: string): Promise<void> {
  await rename(donePath(target), redoPath(target)).catch((error) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw ioError("write", dirname(target), error);
  });
}
