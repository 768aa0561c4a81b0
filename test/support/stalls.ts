/** How long the event loop of this thread was held, by its own work rather than by other processes that took the processor. */
import { closeSync, existsSync, openSync, readSync } from "node:fs";

const path = "/proc/thread-self/schedstat";

/** Only Linux tells how long a thread has run. */
export const canMeasureStalls = existsSync(path);

export interface Stalls {
  /** Processor time of this thread between two turns of the loop, ms: the longest. */
  longestMs: number;
  turns: number;
}

/** Runs `step`, looking in every turn of the event loop how much processor time the turn before took. */
export async function stallsDuring(step: () => Promise<unknown>): Promise<Stalls> {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(64);
  const runMs = () => Number(bytes.toString("latin1", 0, readSync(file, bytes, 0, 64, 0)).split(" ")[0]) / 1e6;
  const stalls: Stalls = { longestMs: 0, turns: 0 };
  let last = runMs();
  const timer = setInterval(() => {
    const now = runMs();
    stalls.longestMs = Math.max(stalls.longestMs, now - last);
    stalls.turns++;
    last = now;
  }, 1);
  try {
    await step();
    return stalls;
  } finally {
    clearInterval(timer);
    closeSync(file);
  }
}
