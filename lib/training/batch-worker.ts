/** The thread that prepares batches: makes those it is asked for, one after the other, and hands their arrays over. */
import { parentPort, workerData } from "node:worker_threads";
import { type Failure, failureOf } from "../core/failure.ts";
import type { Values } from "../models/session.ts";
import { Batches, type Dataset } from "./batches.ts";
import type { TrainingConfig } from "./config.ts";

export interface BatchWorkerData {
  readonly config: TrainingConfig;
  readonly dataset: Dataset;
}

export type FromBatches =
  | { readonly step: number; readonly feeds: Record<string, Values> }
  | { readonly step: number; readonly failure: Failure };

const port = parentPort!;
const { config, dataset } = workerData as BatchWorkerData;
const batches = new Batches(config, dataset);

async function make(step: number): Promise<void> {
  try {
    const feeds = await batches.train(step);
    const buffers = new Set(Object.values(feeds).map(({ data }) => data.buffer as ArrayBuffer));
    port.postMessage({ step, feeds } satisfies FromBatches, [...buffers]);
  } catch (error) {
    port.postMessage({ step, failure: failureOf(error) } satisfies FromBatches);
  }
}

let last: Promise<void> = Promise.resolve();
port.on("message", (step: number) => {
  last = last.then(() => make(step));
});
