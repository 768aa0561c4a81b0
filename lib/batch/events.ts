/** What a batch tells while it runs. */
import type { JobFailure, Seconds } from "./job.ts";

export type BatchEvent =
  | { event: "begin"; task: string; jobs: number; shard?: string; resume: boolean; workers: number }
  | { event: "start"; id: string; input: string }
  | { event: "done"; id: string; slices: number; warnings: readonly string[]; seconds: Seconds }
  /** Proven done before, by an earlier run or by another process. */
  | { event: "skipped"; id: string }
  | ({ event: "failed"; id: string; input: string } & Pick<JobFailure, "code" | "message">)
  | ({ event: "progress" } & BatchProgress)
  | { event: "end"; jobs: number; done: number; skipped: number; failed: number; slices: number; seconds: number };

export interface BatchProgress {
  /** Jobs that are settled: done, skipped or failed. */
  settled: number;
  total: number;
  failed: number;
  slices: number;
  slicesPerSecond: number;
  /** Undefined until something is known. */
  secondsLeft: number | undefined;
}

/** Counts, and estimates the time left from the pace of the jobs that had to be done. */
export class Tally {
  done = 0;
  skipped = 0;
  slices = 0;
  readonly failed: ({ id: string; input: string } & Pick<JobFailure, "code" | "message">)[] = [];
  readonly #total: number;
  readonly #begun = performance.now();

  constructor(total: number) {
    this.#total = total;
  }

  get seconds(): number {
    return Math.round(performance.now() - this.#begun) / 1000;
  }

  progress(): BatchProgress {
    const worked = this.done + this.failed.length;
    const settled = worked + this.skipped;
    const seconds = (performance.now() - this.#begun) / 1000;
    return {
      settled,
      total: this.#total,
      failed: this.failed.length,
      slices: this.slices,
      slicesPerSecond: Math.round((this.slices / Math.max(seconds, 1e-3)) * 10) / 10,
      secondsLeft: worked > 0 ? Math.round((seconds / worked) * (this.#total - settled)) : undefined,
    };
  }
}
