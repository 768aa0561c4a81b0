/** A detector whose bins share light and count scatter, in double. Slow and obvious. */
export function leakOracle(p: ArrayLike<number>, bins: number, share: number, floor: number): Float32Array {
  return Float32Array.from(p, (_, i) => {
    const start = i - (i % bins);
    const t = (k: number) => Math.exp(-p[start + Math.min(bins - 1, Math.max(0, k))]!);
    const k = i % bins;
    return -Math.log(t(k) + (share / 2) * (t(k - 1) - 2 * t(k) + t(k + 1)) + floor);
  });
}
