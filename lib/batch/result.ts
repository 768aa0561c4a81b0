/** The documents beside results: done.json proves what they were made from, failed.json says why there are none. */

import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ioError, writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { fileDigest } from "./digest.ts";
import type { JobFailure, PlannedJob } from "./job.ts";
import { donePath, failedPath, redoPath } from "./layout.ts";

export interface OutputProof {
  bytes: number;
  sha256: string;
}

export interface DoneRecord {
  software: "sinogram";
  version: string;
  task: string;
  id: string;
  input: string;
  configHash: string;
  inputDigest: string;
  /** By file name. */
  outputs: Record<string, OutputProof>;
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
export async function outputProofs(
  folder: string,
  signal?: AbortSignal,
  known: Readonly<Record<string, OutputProof>> = {},
): Promise<Record<string, OutputProof>> {
  const proofs: Record<string, OutputProof> = {};
  for (const name of (await readdir(folder)).sort())
    proofs[name] = known[name] ?? (await fileDigest(join(folder, name), signal));
  return proofs;
}

/** Writes a file and says what was written, without reading it again. Throws ERR_SINO_IO. */
export async function writeProven(path: string, ...chunks: Uint8Array[]): Promise<OutputProof> {
  await writeFileAtomic(path, ...chunks);
  const hash = createHash("sha256");
  let bytes = 0;
  for (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Names of outputs that are not what done.json says any more. */
export async function changedOutputs(target: string, { outputs }: DoneRecord, signal?: AbortSignal): Promise<string[]> {
  const changed: string[] = [];
  for (const [name, { sha256 }] of Object.entries(outputs)) {
    const found = await fileDigest(join(target, name), signal).catch(() => undefined);
    if (found?.sha256 !== sha256) changed.push(name);
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
