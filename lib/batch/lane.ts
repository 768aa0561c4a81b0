/** A thread that works for a batch, seen from the batch: one job at a time, and answers to what it asks for. */
import type { Worker } from "node:worker_threads";
import { sinoError } from "../core/errors.ts";
import { startThread } from "../data/dicom/thread.ts";
import type { Device } from "../native/job.ts";
import type { FromWorker, ToWorker } from "./batch-worker.ts";
import { errorOf } from "./failure.ts";
import type { Gate, Share } from "./gate.ts";
import type { PlannedJob, Seconds } from "./job.ts";

export interface LaneResult {
  slices: number;
  warnings: readonly string[];
  seconds: Seconds;
}

export interface Gates {
  /** Bytes. */
  memory: Gate;
  /** One computes at a time. */
  compute: Gate;
}

/** A thread that does not come back from an abort within this time is ended. */
const patienceMs = 5_000;

interface Pending {
  resolve: (message: FromWorker) => void;
  reject: (error: unknown) => void;
  mayCommit: () => Promise<void>;
}

export class Lane {
  readonly #gates: Gates;
  readonly #signal: AbortSignal;
  #worker: Worker | undefined;
  #pending: Pending | undefined;
  #bytes: Share | undefined;
  #computes: Share | undefined;

  constructor(gates: Gates, signal: AbortSignal) {
    this.#gates = gates;
    this.#signal = signal;
  }

  /**
   * Does a job, results in place included. Rejects with what failed, or with the signal's reason. `mayCommit` may throw.
   */
  async run(job: PlannedJob, token: string, device: Device, mayCommit: () => Promise<void>): Promise<LaneResult> {
    const reply = await this.#exchange({ kind: "run", job, token, device }, mayCommit);
    if (reply.kind !== "done") throw sinoError("ERR_SINO_INTERNAL", `Expected a result but received ${reply.kind}.`);
    return reply;
  }

  /** The digest of a job's inputs as they are now. */
  async digest(job: PlannedJob): Promise<string> {
    const reply = await this.#exchange({ kind: "digest", job }, async () => undefined);
    if (reply.kind !== "digest") throw sinoError("ERR_SINO_INTERNAL", `Expected a digest but received ${reply.kind}.`);
    return reply.digest;
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #exchange(message: ToWorker, mayCommit: () => Promise<void>): Promise<FromWorker> {
    this.#signal.throwIfAborted();
    const worker = this.#worker ?? this.#start();
    let patience: NodeJS.Timeout | undefined;
    const abort = () => {
      worker.postMessage({ kind: "abort" } satisfies ToWorker);
      patience = setTimeout(() => void worker.terminate(), patienceMs);
    };
    try {
      return await new Promise<FromWorker>((resolve, reject) => {
        this.#pending = { resolve, reject, mayCommit };
        this.#signal.addEventListener("abort", abort, { once: true });
        worker.postMessage(message);
      });
    } finally {
      this.#pending = undefined;
      this.#signal.removeEventListener("abort", abort);
      clearTimeout(patience);
      this.#giveBack();
    }
  }

  #start(): Worker {
    const worker = startThread("batch-worker", import.meta.url);
    this.#worker = worker;
    worker.on("message", (message: FromWorker) => this.#receive(message));
    const lost = (error?: Error & { code?: string }) => {
      if (this.#worker === worker) this.#worker = undefined;
      if (this.#signal.aborted) return this.#pending?.reject(this.#signal.reason);
      const memory = error?.code === "ERR_WORKER_OUT_OF_MEMORY";
      this.#pending?.reject(
        sinoError(
          memory ? "ERR_SINO_OUT_OF_MEMORY" : "ERR_SINO_INTERNAL",
          `The thread that did this job ended: ${error?.message ?? "it was stopped"}.`,
          { cause: error },
        ),
      );
    };
    worker.on("error", lost);
    worker.on("exit", () => lost());
    return worker;
  }

  #receive(message: FromWorker): void {
    if (message.kind === "ask") void this.#answer(message);
    else if (message.kind === "give") this.#giveCompute();
    else if (message.kind === "failed") this.#pending?.reject(errorOf(message.failure));
    else if (message.kind === "aborted") this.#pending?.reject(this.#signal.reason);
    else this.#pending?.resolve(message);
  }

  async #answer({ what, share }: Extract<FromWorker, { kind: "ask" }>): Promise<void> {
    const pending = this.#pending;
    try {
      if (what === "memory") {
        await this.#gates.memory.take(share);
        this.#bytes = share;
      } else if (what === "compute") {
        await this.#gates.compute.take(share);
        this.#computes = share;
      } else await pending?.mayCommit();
      if (this.#pending === pending) this.#worker?.postMessage({ kind: "granted", what } satisfies ToWorker);
      else this.#giveBack(); // the job has ended meanwhile
    } catch (error) {
      this.#worker?.postMessage({ kind: "abort" } satisfies ToWorker);
      pending?.reject(error);
    }
  }

  #giveCompute(): void {
    if (this.#computes) this.#gates.compute.give(this.#computes);
    this.#computes = undefined;
  }

  #giveBack(): void {
    this.#giveCompute();
    if (this.#bytes) this.#gates.memory.give(this.#bytes);
    this.#bytes = undefined;
  }
}
