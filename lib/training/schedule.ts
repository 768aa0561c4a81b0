/** Learning rates: warm-up, then constant or cosine annealing with warm restarts (Loshchilov & Hutter 2017, ICLR). */

export interface RateSchedule {
  readonly kind?: "constant" | "cosine" | "cosine-restarts" | undefined;
  readonly warmup?: number | undefined;
  readonly cycle?: number | undefined;
  readonly growth?: number | undefined;
  readonly floor?: number | undefined;
}

/** What the rate is multiplied by at step 0, 1, … of `total`. */
export function rateFactor(step: number, total: number, schedule: RateSchedule = {}): number {
  const { kind = "constant", warmup = 0, growth = 1, floor = 0 } = schedule;
  if (step < warmup) return (step + 1) / warmup;
  if (kind === "constant") return 1;
  let length = kind === "cosine" ? Math.max(1, total - warmup) : (schedule.cycle ?? Math.max(1, total - warmup));
  let at = step - warmup;
  while (kind === "cosine-restarts" && at >= length) {
    at -= length;
    length = Math.max(1, Math.round(length * growth));
  }
  const phase = Math.min(1, at / length);
  return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * phase));
}
