/**
 * Models in threads of their own, so that running one leaves this thread free. A model may have several sessions; they
 * share the processors instead of each taking all of them.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { sinoError } from "../core/errors.ts";
import { errorOf, type Failure } from "../core/failure.ts";
import { startThread } from "../data/dicom/thread.ts";
import type { FromModel, ModelWorkerData, ToModel } from "./model-worker.ts";
import type { Provider, SessionOptions, Values } from "./session.ts";

export interface ModelOptions {
  /** "auto" (default): CUDA where it is there, else the processors. A provider that is named is used or refused, never replaced. */
  readonly provider?: "auto" | Provider | undefined;
  /** Runs at a time, but no more than threads; default 1. */
  readonly sessions?: number | undefined;
  /** Threads of all sessions together; default SINOGRAM_THREADS or one per processor. */
  readonly threads?: number | undefined;
}

export interface OnnxModel {
  /** What runs it. */
  readonly provider: Provider;
  /** Runs at a time, and the threads of each. */
  readonly sessions: number;
  readonly threads: number;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Runs the model on copies of the arrays; calls beyond the number of sessions wait. Throws ERR_SINO_MODEL, ERR_SINO_SHAPE, ERR_SINO_DISPOSED. */
  run(feeds: Readonly<Record<string, Values>>): Promise<Record<string, Values>>;
  /** Ends its threads; runs under way are waited for. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Waiting {
  readonly settle: (results: Record<string, Values>) => void;
  readonly fail: (error: unknown) => void;
}

/** One thread with one session. */
class Lane {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<unknown>;
  readonly opened: Promise<Pick<OnnxModel, "provider" | "inputNames" | "outputNames">>;
  #next = 1;

  constructor(data: ModelWorkerData) {
    this.#worker = startThread("model-worker", import.meta.url, { workerData: data });
    this.#ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.opened = new Promise((resolve, reject) => {
      this.#worker.on("message", (message: FromModel) => {
        if ("opened" in message) resolve(message.opened);
        else if (message.id === 0) reject(errorOf((message as { failure: Failure }).failure));
        else this.#settle(message as Exclude<FromModel, { opened: unknown }>);
      });
      this.#worker.once("error", reject);
    });
    // an idle model keeps nobody's process alive
    this.opened.then(
      () => this.#waiting.size === 0 && this.#worker.unref(),
      () => undefined,
    );
    this.#worker.on("error", (error) => this.#failAll(error));
    this.#worker.on("exit", () => this.#failAll(sinoError("ERR_SINO_DISPOSED", "The model was closed while it ran.")));
  }

  get load(): number {
    return this.#waiting.size;
  }

  run(feeds: Readonly<Record<string, Values>>): Promise<Record<string, Values>> {
    const id = this.#next++;
    const copies: Record<string, Values> = {};
    for (const [name, values] of Object.entries(feeds)) copies[name] = { ...values, data: values.data.slice() };
    return new Promise((settle, fail) => {
      this.#waiting.set(id, { settle, fail });
      this.#worker.ref();
      const buffers = Object.values(copies).map(({ data }) => data.buffer as ArrayBuffer);
      this.#worker.postMessage({ id, feeds: copies } satisfies ToModel, buffers);
    });
  }

  #settle(message: Exclude<FromModel, { opened: unknown }>): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ("results" in message) waiting?.settle(message.results);
    else waiting?.fail(errorOf(message.failure));
  }

  #failAll(error: unknown): void {
    for (const { fail } of this.#waiting.values()) fail(error);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage({ id: -1 } satisfies ToModel);
    await this.#ended;
  }
}

/**
 * Opens an ONNX model, bytes or the path of a file. Throws ERR_SINO_UNSUPPORTED (no onnxruntime-node),
 * ERR_SINO_BACKEND_UNAVAILABLE, ERR_SINO_MODEL.
 *
 * @example
 * const model = await openModel("run/model.onnx");
 * const { y } = await model.run({ x: { data, shape: [1, 1, 64, 64] } });
 * await model.dispose();
 */
export async function openModel(model: Uint8Array | string, options: ModelOptions = {}): Promise<OnnxModel> {
  const { provider = "auto" } = options;
  const all = options.threads ?? (Number(process.env["SINOGRAM_THREADS"] ?? 0) || availableParallelism());
  const sessions = Math.max(1, Math.min(options.sessions ?? 1, all));
  const threads = Math.max(1, Math.floor(all / sessions));
  const sessionOptions: SessionOptions = {
    providers: provider === "auto" ? ["cuda", "cpu"] : [provider],
    threads,
  };
  const lanes = Array.from({ length: sessions }, () => new Lane({ model, options: sessionOptions }));
  let isDisposed = false;
  try {
    const opened = await Promise.all(lanes.map((lane) => lane.opened));
    const dispose = async () => {
      if (isDisposed) return;
      isDisposed = true;
      await Promise.all(lanes.map((lane) => lane.close()));
    };
    return {
      ...opened[0]!,
      sessions,
      threads,
      async run(feeds) {
        if (isDisposed) throw sinoError("ERR_SINO_DISPOSED", "The model was disposed of; open it again.");
        return lanes.reduce((a, b) => (b.load < a.load ? b : a)).run(feeds);
      },
      dispose,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane.opened.then(() => lane.close()).catch(() => undefined)));
    throw error;
  }
}
