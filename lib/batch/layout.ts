/**
 * Where things lie in the output folder of a batch.
 *
 *     OUT/batch.json              the list of the latest run
 *     OUT/<output>/…              results of a job, and done.json (or failed.json)
 *     OUT/.staging/…              results in the making; gone when nobody works
 *     OUT/logs/claims/<id>.<n>.json   who is at work on what
 *     OUT/logs/series/<id>.json   host, times, and the stamp of the inputs of a finished job
 *     OUT/logs/events-….ndjson    what each process did
 *
 * Everything outside logs/ depends on inputs and configuration alone.
 */
import { basename, dirname, join } from "node:path";

export const manifestPath = (out: string): string => join(out, "batch.json");
export const logsFolder = (out: string): string => join(out, "logs");
export const claimsFolder = (out: string): string => join(out, "logs", "claims");
export const seriesLog = (out: string, id: string): string => join(out, "logs", "series", `${id}.json`);
export const donePath = (target: string): string => join(target, "done.json");
export const failedPath = (target: string): string => join(target, "failed.json");
/** What was done.json of a result that is to be made again. */
export const redoPath = (target: string): string => join(target, "redo.json");

/** Beside the target, so that a rename puts results in place; folders below OUT may lie on other file systems. */
export const stagingFolder = (target: string): string => join(dirname(target), ".staging");
export const stageOf = (target: string, token: string): string =>
  join(stagingFolder(target), `${basename(target)}.${token}`);

/** Names at the top of OUT that no job may take. */
export const reservedNames = ["batch.json", "logs", ".staging"];
