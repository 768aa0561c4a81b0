/**
 * The batch runner. Every job is claimed, read, computed, written and put in place by a thread of its own lane; the thread that
 * calls runBatch only keeps books, so that its event loop stays free. At most `workers` jobs are in flight: while one computes,
 * the next is read and the one before is written. docs/batch.md is the manual; layout.ts says where things lie.
 */
import { createWriteStream, type WriteStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { show, sinoError } from "../core/errors.ts";
import { ioError, makeFolder } from "../core/files.ts";
import type { Device } from "../native/job.ts";
import { attempt, type Outcome } from "./attempt.ts";
import { Claims } from "./claim.ts";
import { discoverJobs } from "./discover.ts";
import { type BatchEvent, Tally } from "./events.ts";
import { Gate } from "./gate.ts";
import type { JobRequest, JobSettings, PlannedJob, Task } from "./job.ts";
import { Lane } from "./lane.ts";
import { claimsFolder, logsFolder, stagingFolder } from "./layout.ts";
import { readJobList } from "./list.ts";
import { thisProcess } from "./machine.ts";
import { manifestText } from "./manifest.ts";
import { planJobs, type Shard, shardOf } from "./plan.ts";
import { leadOrJoin } from "./prepare.ts";
import { clearStages, removeStaging, stagedTargets } from "./stage.ts";

export interface BatchOptions {
  task: Task;
  /** Job lists (.jsonl), folders to search, or files; in place of them, `jobs`. */
  inputs?: readonly string[] | undefined;
  jobs?: readonly JobRequest[] | undefined;
  /** Folder of the results. Its parent must exist. */
  output: string;
  /** Geometry file of jobs that name none. */
  geometry?: string | undefined;
  /** Options of the task, below those of each job. */
  options?: JobSettings | undefined;
  /** Only every count-th job, from the index-th on, counted from 1. */
  shard?: Shard | undefined;
  /** Leave out what done.json proves done (default); false: do all of it again, unless another process is at work on the list. */
  resume?: boolean | undefined;
  /** Jobs in flight; default 3: one read, one computed, one written. */
  workers?: number | undefined;
  /** Memory of all jobs in flight; default half of what is free. A job that needs more runs alone. */
  memoryBytes?: number | undefined;
  /** A claim without a sign of life for this long is taken over; default 60. */
  staleSeconds?: number | undefined;
  device?: Device | undefined;
  signal?: AbortSignal | undefined;
  onEvent?: ((event: BatchEvent) => void) | undefined;
}

export interface BatchReport {
  output: string;
  task: Task;
  jobs: number;
  done: number;
  /** Proven done before, or done by another process meanwhile. */
  skipped: number;
  failed: { id: string; input: string; code: string; message: string }[];
  slices: number;
  seconds: number;
}

const progressMs = 500;

/**
 * Runs a batch to its end. Jobs that fail are in the report and in failed.json, the others go on. Throws ERR_SINO_IO,
 * ERR_SINO_IO_FORMAT, ERR_SINO_OUT_OF_RANGE or ERR_SINO_ARG_TYPE for a list or folder that cannot be used, before anything is
 * done; what ends all jobs alike (a full disk, a device that is gone); or `signal.reason`. Nothing is half-written then, and
 * the same call goes on.
 *
 *     const { done, failed } = await runBatch({ task: "mar", inputs: ["scans"], output: "corrected" });
 */
export async function runBatch(options: BatchOptions): Promise<BatchReport> {
  const { task, shard = { index: 1, count: 1 }, resume = true, device = "auto" } = options;
  const workers = wholeNumber(options.workers ?? 3, "workers", 64);
  const staleMs = 1000 * (options.staleSeconds ?? 60);
  if (!(staleMs >= 100))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected at least 0.1 for staleSeconds but received ${staleMs / 1000}.`);
  options.signal?.throwIfAborted();
  const out = await outputFolder(options.output);
  const all = await planJobs(await gather(options, out), { ...options, out });
  const jobs = shardOf(all, shard);
  await makeFolder(out);

  const ending = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
  const claims = new Claims(claimsFolder(out), staleMs);
  const tally = new Tally(jobs.length);
  const log = await openLog(out);
  const emit = (event: BatchEvent) => {
    if (event.event !== "progress") log.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
    options.onEvent?.(event);
  };
  const gates = { memory: new Gate(options.memoryBytes ?? freeMemory() / 2), compute: new Gate(1) };
  const lanes = Array.from({ length: Math.min(workers, Math.max(1, jobs.length)) }, () => new Lane(gates, signal));
  const timer = setInterval(() => guard(() => emit({ event: "progress", ...tally.progress() })), progressMs);
  const guard = (step: () => void) => {
    try {
      step();
    } catch (error) {
      ending.abort(error); // a listener that throws ends the batch with what it threw
    }
  };
  try {
    await claims.start();
    const shardName = `${shard.index}/${shard.count}`;
    const manifest = await manifestText(task, all);
    const lead = await leadOrJoin({ out, manifest, jobs, shard: shardName, resume, claims, signal });
    const leftovers = await findLeftovers(jobs);
    emit({ event: "begin", task, jobs: jobs.length, shard: shardName, resume, workers });
    await workOff(jobs, lanes, {
      out,
      claims,
      device,
      signal,
      staleMs,
      hasLeftovers: ({ target }) => leftovers.get(stagingFolder(target))?.has(nameOf(target)) ?? false,
      onStart: ({ id, input }) => guard(() => emit({ event: "start", id, input })),
      onOutcome: (job, outcome) => guard(() => settle(job, outcome, tally, emit)),
      onError: (error) => ending.abort(error),
    });
    signal.throwIfAborted();
    await clearLeftovers(jobs, claims);
    emit({ event: "progress", ...tally.progress() });
    if (lead) await claims.release(lead);
    const { done, skipped, slices, seconds, failed } = tally;
    emit({ event: "end", jobs: jobs.length, done, skipped, failed: failed.length, slices, seconds });
    return { output: out, task, jobs: jobs.length, done, skipped, failed, slices, seconds };
  } finally {
    clearInterval(timer);
    await Promise.all(lanes.map((lane) => lane.stop()));
    await claims.stop();
    for (const staging of new Set(jobs.map(({ target }) => stagingFolder(target)))) await removeStaging(staging);
    await new Promise<void>((closed) => log.end(closed));
  }
}

const nameOf = (target: string): string => target.slice(target.lastIndexOf(sep) + 1);

function wholeNumber(value: number, name: string, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected a whole number from 1 to ${most} for ${name} but received ${show(value)}.`,
  );
}

/** Node before 22 says only what is free of the machine. */
function freeMemory(): number {
  const { availableMemory } = process as { availableMemory?: () => number };
  return availableMemory?.call(process) ?? 2 ** 31;
}

/** The absolute path, links resolved: outputs are compared by it. */
async function outputFolder(path: string): Promise<string> {
  if (typeof path !== "string" || path === "")
    throw sinoError("ERR_SINO_ARG_TYPE", `Expected a folder for output but received ${show(path)}.`);
  const out = resolve(path);
  const parent = await realpath(dirname(out)).catch((error) => {
    throw ioError("write", out, error);
  });
  return realpath(out).catch(() => join(parent, nameOf(out)));
}

const isList = (path: string): boolean => /\.(jsonl|ndjson)$/i.test(path);

async function gather({ task, inputs = [], jobs = [], signal }: BatchOptions, out: string): Promise<JobRequest[]> {
  const requests = [...jobs];
  for (const path of inputs.filter(isList)) requests.push(...(await readJobList(path, task)));
  const places = inputs.filter((path) => !isList(path));
  for (const place of places)
    if ((await realpath(place).catch(() => undefined)) === out)
      throw sinoError("ERR_SINO_IO", `Cannot write ${out}: it is an input of this batch. Choose another folder.`, {
        details: { path: out },
      });
  if (places.length > 0) requests.push(...(await discoverJobs(places, task, { exclude: out, signal })));
  if (requests.length > 0) return requests;
  const what = task === "mar" ? "CT series" : "sinogram file";
  throw sinoError("ERR_SINO_IO_FORMAT", `No ${what} was found in ${places.join(", ") || "an empty list of jobs"}.`);
}

async function openLog(out: string): Promise<WriteStream> {
  const folder = logsFolder(out);
  await makeFolder(folder);
  const name = `events-${thisProcess.host.replaceAll(/[^\w.-]/g, "_")}-${thisProcess.pid}-${Date.now().toString(36)}.ndjson`;
  const stream = createWriteStream(join(folder, name), { flags: "a" });
  stream.on("error", () => undefined); // a full disk is reported by the job that meets it
  return stream;
}

/** By staging folder: names of targets of which something lies there. */
async function findLeftovers(jobs: readonly PlannedJob[]): Promise<Map<string, Set<string>>> {
  const folders = new Set(jobs.map(({ target }) => stagingFolder(target)));
  const found = new Map<string, Set<string>>();
  for (const folder of folders) found.set(folder, await stagedTargets(folder));
  return found;
}

/** What processes that died meanwhile have left of jobs that are settled. */
async function clearLeftovers(jobs: readonly PlannedJob[], claims: Claims): Promise<void> {
  const leftovers = await findLeftovers(jobs);
  for (const { id, target } of jobs) {
    if (!leftovers.get(stagingFolder(target))?.has(nameOf(target)) || !(await claims.take(id))) continue;
    await clearStages(target);
    await claims.release(id);
  }
}

function settle(job: PlannedJob, outcome: Outcome, tally: Tally, emit: (event: BatchEvent) => void): void {
  const { id, input } = job;
  if (outcome.kind === "done") {
    const { slices, warnings, seconds } = outcome;
    tally.done++;
    tally.slices += slices;
    emit({ event: "done", id, slices, warnings, seconds });
  } else if (outcome.kind === "skipped") {
    tally.skipped++;
    emit({ event: "skipped", id });
  } else if (outcome.kind === "failed") {
    const { code, message } = outcome.failure;
    tally.failed.push({ id, input, code, message });
    emit({ event: "failed", id, input, code, message });
  }
}

type WorkOff = Parameters<typeof attempt>[2] & {
  staleMs: number;
  onOutcome(job: PlannedJob, outcome: Outcome): void;
  onError(error: unknown): void;
};

/** Every lane takes the next job until there is none; then those that others had claimed, until these are settled or free. */
async function workOff(jobs: readonly PlannedJob[], lanes: readonly Lane[], context: WorkOff): Promise<void> {
  const { signal, staleMs, onOutcome, onError } = context;
  const contested: PlannedJob[] = [];
  let next = 0;
  const work = async (lane: Lane) => {
    while (!signal.aborted) {
      const isFirst = next < jobs.length;
      const job = isFirst ? jobs[next++] : contested.shift();
      if (!job) return;
      const outcome = await attempt(job, lane, context);
      if (outcome.kind !== "contested") onOutcome(job, outcome);
      else {
        contested.push(job);
        const pause = Math.max(5, Math.min(250, staleMs / 8) / contested.length);
        if (!isFirst) await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  await Promise.all(lanes.map((lane) => work(lane).catch(onError)));
}
