/** Progress of file work: about ten events per second, the last one with `done === total`. */
import type { Progress } from "../../native/job.ts";

export type OnProgress = (progress: Progress) => void;

const intervalMs = 100;

export function progressReporter(
  onProgress: OnProgress | undefined,
  phase: string,
  total: number,
): (done: number) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (done) => {
    const now = performance.now();
    if (!onProgress || (done < total && now - last < intervalMs)) return;
    last = now;
    onProgress({ phase, done, total });
  };
}
