/**
 * A few threads that decode compressed slices, shared by all reads and writes: started when needed (which takes longer than
 * decoding a slice), ended after some idle seconds. Idle threads do not keep the process alive.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { sinoError } from "../../core/errors.ts";
import type { DecodeReply, DecodeTask } from "./codec-worker.ts";
import { formatError } from "./failures.ts";
import type { CtSlice } from "./slice.ts";
import { startThread } from "./thread.ts";

interface Job {
  readonly slice: CtSlice;
  readonly resolve: (pixels: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  timer: NodeJS.Timeout | undefined;
}

const mostThreads = 8;
/** A damaged stream must not hang a decoder for ever. */
const sliceTimeoutMs = 60_000;
const idleMs = 5_000;

class CodecPool {
  #threads: Thread[] = [];
  #waiting: Job[] = [];
  #limit = Math.min(mostThreads, availableParallelism());

  decode(slice: CtSlice): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ slice, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#threads.find((t) => !t.job) ?? this.#start();
      if (!thread) return;
      const job = this.#waiting.shift()!;
      const { slice } = job;
      thread.job = job;
      thread.worker.ref();
      clearTimeout(thread.timer);
      thread.timer = setTimeout(
        () => this.#lose(thread, `decoding took longer than ${sliceTimeoutMs / 1000} s`),
        sliceTimeoutMs,
      );
      const task: DecodeTask = {
        file: slice.file,
        fileBytes: slice.fileBytes,
        offset: slice.pixelOffset,
        codec: slice.transferSyntax.codec!,
        rows: slice.rows,
        columns: slice.columns,
        bitsAllocated: slice.bitsAllocated,
        bitsStored: slice.bitsStored,
        signed: slice.signed,
      };
      thread.worker.postMessage(task);
    }
  }

  #start(): Thread | undefined {
    if (this.#threads.length >= this.#limit) return undefined;
    // Decoders print complaints about damaged streams: kept from the terminal, the error says it. Reading what they
    // print, even to drop it, would keep the process alive.
    const worker = startThread("codec-worker", import.meta.url, { stdout: true, stderr: true });
    const thread: Thread = { worker, job: undefined, timer: undefined };
    worker.on("message", (reply: DecodeReply) => this.#finish(thread, reply));
    worker.on("error", (error) => this.#lose(thread, error instanceof Error ? error.message : String(error)));
    worker.on("exit", () => this.#lose(thread, "the decoder ended unexpectedly"));
    this.#threads.push(thread);
    return thread;
  }

  /** The thread has nothing to do now: it may be given something, or end. */
  #take(thread: Thread): Job | undefined {
    const { job } = thread;
    thread.job = undefined;
    thread.worker.unref();
    clearTimeout(thread.timer);
    thread.timer = setTimeout(() => this.#lose(thread, "idle"), idleMs).unref();
    return job;
  }

  #finish(thread: Thread, reply: DecodeReply): void {
    const job = this.#take(thread);
    if (job && reply.pixels) job.resolve(new Uint8Array(reply.pixels));
    else job?.reject(decodeError(job.slice, reply));
    this.#next();
  }

  /** The thread is gone, or is made to go: its slice fails, the others go on in another thread. */
  #lose(thread: Thread, reason: string): void {
    const job = this.#take(thread);
    const index = this.#threads.indexOf(thread);
    if (index >= 0) this.#threads.splice(index, 1);
    clearTimeout(thread.timer);
    void thread.worker.terminate();
    job?.reject(decodeError(job.slice, { error: reason }));
    this.#next();
  }
}

const pool = new CodecPool();

/**
 * Stored pixels of a compressed slice, little-endian, in a buffer of their own. Rejects with ERR_SINO_IO_FORMAT where the
 * stream is damaged, with ERR_SINO_UNSUPPORTED where dcmjs-codecs is not installed.
 */
export function decodeSlice(slice: CtSlice): Promise<Uint8Array> {
  return pool.decode(slice);
}

function decodeError({ file, transferSyntax }: CtSlice, { error, isMissing }: DecodeReply): Error {
  if (isMissing)
    return sinoError("ERR_SINO_UNSUPPORTED", `${file} is ${transferSyntax.name}. ${error}`, {
      details: { file, package: "dcmjs-codecs" },
    });
  return formatError(file, `its ${transferSyntax.name} pixels cannot be decoded: ${error}.`, {
    transferSyntax: transferSyntax.uid,
  });
}
