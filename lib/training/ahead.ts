/**
 * Batches prepared ahead in a thread of their own while steps run: a few at a time, asked for in order. Each is a function of seed and
 * step, so that it does not matter who makes it, or when.
 */
import type { Worker } from "node:worker_threads";
import { sinoError } from "../core/errors.ts";
import { errorOf } from "../core/failure.ts";
import { startThread } from "../data/dicom/thread.ts";
import type { BatchWorkerData, FromBatches } from "./batch-worker.ts";
import type { Feeds } from "./batches.ts";

/** Batches that are there or under way beside the one in use. */
const depth = 3;

export class Ahead {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Promise<Feeds>>();
  readonly #settle = new Map<number, { resolve: (feeds: Feeds) => void; reject: (error: unknown) => void }>();
  readonly #end: number;
  #next: number;

  /** Batches of the steps from `first` on, before `end`. The samples of a dataset are shared with the thread, not copied. */
  constructor(data: BatchWorkerData, first: number, end: number) {
    this.#next = first;
    this.#end = end;
    this.#worker = startThread("batch-worker", import.meta.url, { workerData: data });
    this.#worker.on("message", (message: FromBatches) => {
      const { resolve, reject } = this.#settle.get(message.step)!;
      this.#settle.delete(message.step);
      if ("feeds" in message) resolve(message.feeds);
      else reject(errorOf(message.failure));
    });
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(sinoError("ERR_SINO_DISPOSED", "The batches were closed.")));
    this.#fill(first);
  }

  /** The batch of a step; steps are taken in order. */
  take(step: number): Promise<Feeds> {
    this.#fill(step);
    const feeds = this.#asked.get(step)!;
    this.#asked.delete(step);
    return feeds;
  }

  #fill(step: number): void {
    for (; this.#next < Math.min(step + 1 + depth, this.#end); this.#next++) {
      const asked = this.#next;
      const feeds = new Promise<Feeds>((resolve, reject) => this.#settle.set(asked, { resolve, reject }));
      // whoever takes it hears of a failure
      feeds.catch(() => undefined);
      this.#asked.set(asked, feeds);
      this.#worker.postMessage(asked);
    }
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#settle.values()) reject(error);
    this.#settle.clear();
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
