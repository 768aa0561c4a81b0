/** Interpolation across the trace of one sinogram, bin by bin: each flagged bin looks left and right for itself. */
export function interpolateOracle(
  sinogram: Float32Array,
  trace: Uint8Array,
  views: number,
  bins: number,
  prior?: Float32Array,
): { result: Float64Array; fullViews: number } {
  const difference = Float64Array.from(sinogram, (s, i) => s - (prior?.[i] ?? 0));
  const between = (at: number, left: number, right: number, value: (k: number) => number, count: number) => {
    if (left < 0 && right >= count) return 0;
    if (left < 0) return value(right);
    if (right >= count) return value(left);
    return value(left) + ((value(right) - value(left)) * (at - left)) / (right - left);
  };
  const isFull = (v: number) => trace.subarray(v * bins, (v + 1) * bins).every(Boolean);
  const filled = difference.map((d, i) => {
    const [v, k] = [Math.floor(i / bins), i % bins];
    if (!trace[i] || isFull(v)) return d;
    let left = k;
    while (left >= 0 && trace[v * bins + left]) left--;
    let right = k;
    while (right < bins && trace[v * bins + right]) right++;
    return between(k, left, right, (n) => difference[v * bins + n]!, bins);
  });
  let fullViews = 0;
  for (let v = 0; v < views; v++) {
    if (!isFull(v)) continue;
    fullViews++;
    let before = v;
    while (before >= 0 && isFull(before)) before--;
    let after = v;
    while (after < views && isFull(after)) after++;
    for (let k = 0; k < bins; k++)
      filled[v * bins + k] = between(v, before, after, (n) => filled[n * bins + k]!, views);
  }
  return { result: filled.map((d, i) => (trace[i] ? d + (prior?.[i] ?? 0) : sinogram[i]!)), fullViews };
}
