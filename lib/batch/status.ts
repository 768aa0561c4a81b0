/** What an output folder says of its batch: read back from its files alone, also while processes work there. */

import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ioError } from "../core/files.ts";
import { readClaims } from "./claim.ts";
import { claimsFolder } from "./layout.ts";
import { hasDied } from "./machine.ts";
import { readManifest } from "./manifest.ts";
import { changedOutputs, readDone, readFailed } from "./result.ts";

export type JobState = "done" | "failed" | "running" | "waiting" | "changed";

export interface JobStatus {
  id: string;
  input: string;
  output: string;
  state: JobState;
  slices?: number;
  code?: string;
  message?: string;
  host?: string;
  pid?: number;
  /** Outputs that are not as done.json says, where that was looked at. */
  changed?: string[];
}

export interface BatchStatus {
  output: string;
  task: string;
  version: string;
  jobs: number;
  done: number;
  failed: number;
  running: number;
  waiting: number;
  changed: number;
  slices: number;
  items: JobStatus[];
}

export interface StatusOptions {
  /** Read all outputs and compare their digests with done.json; default false. */
  verify?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The state of every job of the latest run. Throws ERR_SINO_IO or ERR_SINO_IO_FORMAT where no batch has been run.
 *
 *     const { done, failed, items } = await batchStatus("corrected");
 */
export async function batchStatus(output: string, options: StatusOptions = {}): Promise<BatchStatus> {
  const { verify = false, signal } = options;
  const out = await realpath(output).catch((error) => {
    throw ioError("read", output, error);
  });
  const { task, version, jobs } = await readManifest(out);
  const claims = await readClaims(claimsFolder(out));
  const status: BatchStatus = {
    output: out,
    task,
    version,
    jobs: jobs.length,
    done: 0,
    failed: 0,
    running: 0,
    waiting: 0,
    changed: 0,
    slices: 0,
    items: [],
  };
  for (const { id, input, output: name, configHash } of jobs) {
    signal?.throwIfAborted();
    const target = join(out, name);
    const item: JobStatus = { id, input, output: name, state: "waiting" };
    const claim = claims.get(id);
    const failed = await readFailed(target);
    const done = await readDone(target);
    if (failed) Object.assign(item, { state: "failed", code: failed.code, message: failed.message });
    else if (done?.configHash === configHash) {
      const changed = verify ? await changedOutputs(target, done, signal) : [];
      Object.assign(item, { state: changed.length > 0 ? "changed" : "done", slices: done.slices });
      if (changed.length > 0) item.changed = changed;
      status.slices += done.slices;
    } else if (claim && !hasDied(claim)) Object.assign(item, { state: "running", host: claim.host, pid: claim.pid });
    status[item.state]++;
    status.items.push(item);
    if (status.items.length % 100 === 0) await nextTurn();
  }
  return status;
}
