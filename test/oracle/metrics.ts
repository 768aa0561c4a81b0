/** PSNR and SSIM written out window by window, in double. */
export interface Image {
  data: ArrayLike<number>;
  rows: number;
  columns: number;
}

export function mseOracle(a: Image, b: Image, mask?: ArrayLike<number>): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < a.rows * a.columns; i++) {
    if (mask && mask[i] !== 0) continue;
    sum += (a.data[i]! - b.data[i]!) ** 2;
    count++;
  }
  return sum / count;
}

/** `uniform`: 7 × 7 equal weights and sample variances. */
export function ssimOracle(a: Image, b: Image, range: number, uniform = false): number {
  const reach = uniform ? 3 : 5;
  const side = 2 * reach + 1;
  const weight = (i: number, j: number) => (uniform ? 1 : Math.exp(-(i * i + j * j) / (2 * 1.5 * 1.5)));
  const taps: number[] = [];
  for (let i = -reach; i <= reach; i++) for (let j = -reach; j <= reach; j++) taps.push(weight(i, j));
  const spread = uniform ? 49 / 48 : 1;
  const norm = taps.reduce((sum, tap) => sum + tap, 0);
  const c1 = (0.01 * range) ** 2;
  const c2 = (0.03 * range) ** 2;
  let total = 0;
  let windows = 0;
  for (let row = reach; row < a.rows - reach; row++) {
    for (let column = reach; column < a.columns - reach; column++) {
      const pixels = taps.map((tap, t) => {
        const at = (row + Math.floor(t / side) - reach) * a.columns + column + (t % side) - reach;
        return { weight: tap / norm, x: a.data[at]!, y: b.data[at]! };
      });
      const meanX = pixels.reduce((sum, { weight, x }) => sum + weight * x, 0);
      const meanY = pixels.reduce((sum, { weight, y }) => sum + weight * y, 0);
      const varianceX = spread * pixels.reduce((sum, { weight, x }) => sum + weight * (x - meanX) ** 2, 0);
      const varianceY = spread * pixels.reduce((sum, { weight, y }) => sum + weight * (y - meanY) ** 2, 0);
      const covariance = spread * pixels.reduce((sum, { weight, x, y }) => sum + weight * (x - meanX) * (y - meanY), 0);
      total +=
        ((2 * meanX * meanY + c1) * (2 * covariance + c2)) /
        ((meanX ** 2 + meanY ** 2 + c1) * (varianceX + varianceY + c2));
      windows++;
    }
  }
  return total / windows;
}

/** MATLAB's imfilter(ones(f)/f², 'symmetric') followed by every f-th pixel, for even f. */
export function decimateOracle(image: Image, factor: number): Image {
  const rows = Math.ceil(image.rows / factor);
  const columns = Math.ceil(image.columns / factor);
  const data = new Float64Array(rows * columns);
  const mirror = (i: number, n: number) => (i < n ? i : 2 * n - 1 - i);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let i = 0; i < factor; i++)
        for (let j = 0; j < factor; j++)
          sum +=
            image.data[
              mirror(row * factor + i, image.rows) * image.columns + mirror(column * factor + j, image.columns)
            ]!;
      data[row * columns + column] = sum / factor ** 2;
    }
  return { data, rows, columns };
}

/** One image as the field's protocol sees it: attenuation in 1/mm clipped to 0–0.05, 8 bits, metal black. */
export function synDeepLesionOracle(mu: ArrayLike<number>, mask: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: mu.length }, (_, i) => {
    if (mask[i] !== 0) return 0;
    const level = Math.fround(Math.min(1, Math.max(0, mu[i]! / 0.05))) * 255;
    return Math.round(level) / 255;
  });
}
