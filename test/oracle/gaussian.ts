/** One slice convolved with the two-dimensional kernel, pixel by pixel, border repeated. */
export function gaussianOracle(
  image: Float32Array,
  rows: number,
  columns: number,
  sigma: readonly [number, number],
  radius: readonly [number, number],
): Float64Array {
  const weight = (k: number, s: number) => (s > 0 ? Math.exp((-0.5 * k * k) / (s * s)) : k === 0 ? 1 : 0);
  const clamp = (k: number, n: number) => Math.min(Math.max(k, 0), n - 1);
  return Float64Array.from(image, (_, p) => {
    let sum = 0;
    let total = 0;
    for (let j = -radius[0]; j <= radius[0]; j++)
      for (let i = -radius[1]; i <= radius[1]; i++) {
        const w = weight(j, sigma[0]) * weight(i, sigma[1]);
        if (w === 0) continue;
        total += w;
        sum += w * image[clamp(Math.floor(p / columns) + j, rows) * columns + clamp((p % columns) + i, columns)]!;
      }
    return sum / total;
  });
}
