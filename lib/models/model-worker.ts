/** The thread of one session: opens a model, runs it on request. Arrays come and go by transfer. */
import { parentPort, workerData } from "node:worker_threads";
import { type Failure, failureOf } from "../core/failure.ts";
import { openSession, type Session, type SessionOptions, type Values } from "./session.ts";

/** What a thread is started with. */
export interface ModelWorkerData {
  readonly model: Uint8Array | string;
  readonly options: SessionOptions;
}

export type ToModel = { readonly id: number; readonly feeds: Readonly<Record<string, Values>> } | { readonly id: -1 };

export type FromModel =
  | { readonly id: 0; readonly opened: Pick<Session, "provider" | "inputNames" | "outputNames"> }
  | { readonly id: number; readonly results: Record<string, Values> }
  | { readonly id: number; readonly failure: Failure };

const port = parentPort!;
const { model, options } = workerData as ModelWorkerData;

/** The buffers of the arrays, each once. */
const buffersOf = (set: Readonly<Record<string, Values>>): ArrayBuffer[] => [
  ...new Set(Object.values(set).map(({ data }) => data.buffer as ArrayBuffer)),
];

async function run(session: Session, id: number, feeds: Readonly<Record<string, Values>>): Promise<void> {
  try {
    const results = await session.run(feeds);
    port.postMessage({ id, results } satisfies FromModel, buffersOf(results));
  } catch (error) {
    port.postMessage({ id, failure: failureOf(error) } satisfies FromModel);
  }
}

try {
  const session = await openSession(model, options);
  const { provider, inputNames, outputNames } = session;
  let last: Promise<void> = Promise.resolve();
  port.on("message", (message: ToModel) => {
    last = last.then(async () => {
      if (message.id !== -1) return run(session, message.id, (message as { feeds: Record<string, Values> }).feeds);
      await session.close();
      port.close();
    });
  });
  port.postMessage({ id: 0, opened: { provider, inputNames, outputNames } } satisfies FromModel);
} catch (error) {
  port.postMessage({ id: 0, failure: failureOf(error) } satisfies FromModel);
  port.close();
}
