/**
 * A thread of a batch: does one job after the other, from reading to putting the results in place, so that the thread that
 * started the batch stays free. Asks that thread for memory, for the right to compute, and for leave to commit.
 */
import { parentPort } from "node:worker_threads";
import { writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { parseArraySpec } from "../data/array-files.ts";
import type { Device } from "../native/job.ts";
import { inputDigest } from "./checksum.ts";
import { failureOf } from "./failure.ts";
import type { Share } from "./gate.ts";
import type { JobFailure, PlannedJob, Seconds } from "./job.ts";
import { donePath } from "./layout.ts";
import { type DoneRecord, outputChecksums } from "./result.ts";
import { withStage } from "./stage.ts";
import type { Work, WorkContext } from "./work.ts";

/** To the thread. */
export type ToWorker =
  | { kind: "run"; job: PlannedJob; token: string; device: Device }
  | { kind: "digest"; job: PlannedJob }
  | { kind: "granted"; what: Asked }
  | { kind: "abort" };

/** Memory, in bytes; the right to compute; leave to put results in place. */
export type Asked = "memory" | "compute" | "commit";

/** From the thread. */
export type FromWorker =
  | { kind: "ask"; what: Asked; share: Share }
  | { kind: "give"; what: "compute" }
  | { kind: "done"; slices: number; warnings: readonly string[]; seconds: Seconds }
  | { kind: "digest"; digest: string }
  | { kind: "failed"; failure: JobFailure }
  | { kind: "aborted" };

/** A thread loads only what its task needs: that is most of the time it takes to start. */
const works: Record<PlannedJob["task"], () => Promise<Work>> = {
  mar: async () => (await import("./mar.ts")).correctSeries,
  reconstruct: async () => (await import("./reconstruct.ts")).reconstructFile,
};

const port = parentPort!;
const send = (message: FromWorker): void => port.postMessage(message);
const granted = new Map<Asked, () => void>();
let controller = new AbortController();

async function ask(what: Asked, share: Share = { own: 1 }): Promise<void> {
  const { signal } = controller;
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    granted.set(what, resolve);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    send({ kind: "ask", what, share });
  });
}

async function run(job: PlannedJob, token: string, device: Device): Promise<void> {
  const seconds: Seconds = {};
  let result: { slices: number; warnings: readonly string[] } = { slices: 0, warnings: [] };
  const { signal } = controller;
  const timed: WorkContext["timed"] = async (name, step) => {
    const begun = performance.now();
    const value = await step();
    seconds[name] = Math.round(performance.now() - begun) / 1000;
    return value;
  };
  const context: WorkContext = {
    signal,
    device,
    timed,
    reserve: (bytes) => ask("memory", bytes),
    computing: async (step) => {
      await timed("waiting", () => ask("compute"));
      try {
        return await timed("computing", step);
      } finally {
        send({ kind: "give", what: "compute" });
      }
    },
    commit: (outputs) =>
      timed("writing", () =>
        withStage(
          job.target,
          token,
          () => ask("commit"),
          async (folder) => {
            const { inputFiles, inputChecksums, outputs: known, slices, warnings, details } = await outputs(folder);
            signal.throwIfAborted();
            const done: DoneRecord = {
              software: "sinogram",
              version,
              task: job.task,
              id: job.id,
              input: job.input,
              configHash: job.configHash,
              inputDigest: await inputDigest(inputFiles, signal, inputChecksums),
              slices,
              warnings,
              ...details,
              outputs: await outputChecksums(folder, signal, known),
            };
            await writeFileAtomic(donePath(folder), `${JSON.stringify(done, null, 2)}\n`);
            result = { slices, warnings };
          },
        ),
      ),
  };
  const work = await works[job.task]();
  await work(job, context);
  send({ kind: "done", ...result, seconds });
}

async function digest(job: PlannedJob): Promise<void> {
  const { signal } = controller;
  const files =
    job.task === "mar"
      ? (await (await import("./mar.ts")).seriesFiles(job, signal)).files
      : [parseArraySpec(job.input).path];
  send({ kind: "digest", digest: await inputDigest(files, signal) });
}

/** Settles with a message whatever happens. */
async function attempt(step: () => Promise<void>): Promise<void> {
  controller = new AbortController();
  try {
    await step();
  } catch (error) {
    send(controller.signal.aborted ? { kind: "aborted" } : { kind: "failed", failure: plain(failureOf(error)) });
  }
}

/** Details may hold what cannot be sent to another thread. */
function plain(failure: JobFailure): JobFailure {
  return JSON.parse(JSON.stringify(failure)) as JobFailure;
}

port.on("message", (message: ToWorker) => {
  if (message.kind === "granted") granted.get(message.what)?.();
  else if (message.kind === "abort") controller.abort();
  else if (message.kind === "run") void attempt(() => run(message.job, message.token, message.device));
  else void attempt(() => digest(message.job));
});
