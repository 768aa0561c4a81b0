/** One job from claim to release: looks whether it is done, does it, keeps the record of it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sinoError } from "../core/errors.ts";
import { writeFileAtomic } from "../core/files.ts";
import { parseArraySpec } from "../data/array-files.ts";
import { listFiles } from "../data/dicom/list.ts";
import type { Device } from "../native/job.ts";
import { stampOf } from "./checksum.ts";
import type { Claim, Claims } from "./claim.ts";
import { endsBatch, errorOf, failureOf } from "./failure.ts";
import type { JobFailure, PlannedJob } from "./job.ts";
import type { Lane, LaneResult } from "./lane.ts";
import { seriesLog } from "./layout.ts";
import { thisProcess } from "./machine.ts";
import { failedText, hasOutputs, readDone, readFailed } from "./result.ts";
import { clearStage, clearStages, putFailed } from "./stage.ts";

export type Outcome =
  | ({ kind: "done" } & LaneResult)
  | { kind: "skipped" }
  | { kind: "failed"; failure: JobFailure }
  /** Somebody else works on it. */
  | { kind: "contested" };

export interface AttemptContext {
  out: string;
  claims: Claims;
  device: Device;
  signal: AbortSignal;
  /** Names of targets of which an earlier process has left something, by staging folder. */
  hasLeftovers(job: PlannedJob): boolean;
  onStart(job: PlannedJob): void;
}

/** Throws what ends the whole batch: an abort, a full disk, a device that is gone. */
export async function attempt(job: PlannedJob, lane: Lane, context: AttemptContext): Promise<Outcome> {
  const { claims, hasLeftovers } = context;
  const known = hasLeftovers(job) ? undefined : await settled(job, lane, context);
  if (known) return known;
  const claim = await claims.take(job.id);
  if (!claim) return { kind: "contested" };
  try {
    await clearStages(job.target);
    return (await settled(job, lane, context)) ?? (await perform(job, lane, claim, context));
  } finally {
    await claims.release(job.id);
  }
}

/** What is known without doing it: done before (by whomever), or failed in this run. */
async function settled(job: PlannedJob, lane: Lane, context: AttemptContext): Promise<Outcome | undefined> {
  const failed = await readFailed(job.target);
  if (failed?.configHash === job.configHash)
    return { kind: "failed", failure: { code: failed.code, message: failed.message } };
  return (await isDone(job, lane, context)) ? { kind: "skipped" } : undefined;
}

/** done.json names this configuration and these inputs, and its outputs are there. */
async function isDone(job: PlannedJob, lane: Lane, { out, signal }: AttemptContext): Promise<boolean> {
  const done = await readDone(job.target);
  if (done?.configHash !== job.configHash || !(await hasOutputs(job.target, done))) return false;
  const stamp = await inputStamp(job);
  const noted = await readFile(seriesLog(out, job.id), "utf8")
    .then(JSON.parse)
    .catch(() => undefined);
  if (stamp !== undefined && noted?.stamp === stamp && noted.inputDigest === done.inputDigest) return true;
  const digest = await lane.digest(job).catch(() => undefined); // an input that is gone proves nothing; doing the job says why
  signal.throwIfAborted();
  if (digest !== done.inputDigest) return false;
  await note(job, { stamp, inputDigest: digest }, out);
  return true;
}

/** Of all files that the job might read. */
async function inputStamp({ task, input, folders }: PlannedJob): Promise<string | undefined> {
  try {
    if (folders)
      return await stampOf([...folders].flatMap(([folder, names]) => names.map((name) => join(folder, name))));
    return await stampOf(task === "mar" ? await listFiles(input) : [parseArraySpec(input).path]);
  } catch {
    return undefined;
  }
}

async function note(job: PlannedJob, fields: object, out: string): Promise<void> {
  const text = JSON.stringify({ id: job.id, ...fields, host: thisProcess.host, pid: thisProcess.pid });
  await writeFileAtomic(seriesLog(out, job.id), `${text}\n`).catch(() => undefined); // it only saves work later
}

async function perform(job: PlannedJob, lane: Lane, claim: Claim, context: AttemptContext): Promise<Outcome> {
  const { out, device, signal, onStart } = context;
  onStart(job);
  try {
    if (job.problem) throw errorOf(job.problem);
    const stamp = await inputStamp(job); // before it is read: what changes later does not match
    const result = await lane.run(job, claim.token, device, async () => {
      if (!(await claim.isMine())) throw lost(job);
    });
    const inputDigest = (await readDone(job.target))?.inputDigest;
    await note(job, { stamp, inputDigest, finished: new Date().toISOString(), seconds: result.seconds }, out);
    return { kind: "done", ...result };
  } catch (error) {
    await clearStage(job.target, claim.token); // the thread may have ended before it could
    if (signal.aborted) throw error;
    if (!(await claim.isMine())) return { kind: "contested" };
    const failure = failureOf(error);
    if (endsBatch(failure)) throw error;
    await putFailed(job.target, claim.token, failedText(job, failure));
    return { kind: "failed", failure };
  }
}

function lost({ target }: PlannedJob): Error {
  return sinoError("ERR_SINO_IO", `Another process has taken over ${target}, as this one gave no sign of life.`);
}
