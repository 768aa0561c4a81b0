/** Non-local means, the bilateral filter, the median and the noise level by their definitions, one slice in double; slow and obvious. */
import { variationOf } from "./iterative.ts";

type Slice = { data: ArrayLike<number>; rows: number; columns: number };

/** Mirrored about the border pixel. */
const mirrored = (i: number, n: number): number =>
  n === 1 ? 0 : i < 0 ? mirrored(-i, n) : i < n ? i : mirrored(2 * n - 2 - i, n);
const at = ({ data, rows, columns }: Slice, y: number, x: number) =>
  data[mirrored(y, rows) * columns + mirrored(x, columns)]!;
const window = (radius: number) => Array.from({ length: 2 * radius + 1 }, (_, k) => k - radius);

export interface NonLocal {
  search: number;
  patch: number;
  patchSigma?: number;
  spread?: number;
  sigma: number;
  h: number;
}

export function nonLocalOracle(slice: Slice, { search, patch, patchSigma = 0, spread = 0, sigma, h }: NonLocal) {
  const g = (k: number) => (patchSigma > 0 ? Math.exp((-k * k) / (2 * patchSigma ** 2)) : 1);
  const sum = window(patch).reduce((total, k) => total + g(k), 0);
  return Float64Array.from({ length: slice.rows * slice.columns }, (_, p) => {
    const y = Math.floor(p / slice.columns);
    const x = p % slice.columns;
    let top = 0;
    let bottom = 0;
    for (const dy of window(search))
      for (const dx of window(search)) {
        let d = 0;
        for (const j of window(patch))
          for (const i of window(patch))
            d += ((g(j) * g(i)) / sum ** 2) * (at(slice, y + j, x + i) - at(slice, y + dy + j, x + dx + i)) ** 2;
        const near = spread > 0 ? (dy * dy + dx * dx) / (2 * spread ** 2) : 0;
        const w = Math.exp(-Math.max(d - 2 * sigma ** 2, 0) / h ** 2 - near);
        top += w * at(slice, y + dy, x + dx);
        bottom += w;
      }
    return top / bottom;
  });
}

export function medianOracle(slice: Slice, radius: number): Float64Array {
  return Float64Array.from({ length: slice.rows * slice.columns }, (_, p) => {
    const values = window(radius).flatMap((j) =>
      window(radius).map((i) => at(slice, Math.floor(p / slice.columns) + j, (p % slice.columns) + i)),
    );
    return values.sort((a, b) => a - b)[(values.length - 1) / 2]!;
  });
}

export function noiseOracle({ data, rows, columns }: Slice): number {
  const sizes: number[] = [];
  for (let y = 1; y + 1 < rows; y++)
    for (let x = 1; x + 1 < columns; x++) {
      let m = 0;
      for (const j of [-1, 0, 1])
        for (const i of [-1, 0, 1]) m += (j ? 1 : -2) * (i ? 1 : -2) * data[(y + j) * columns + x + i]!;
      if (m !== 0) sizes.push(Math.abs(m) / 6);
    }
  return sizes.sort((a, b) => a - b)[Math.floor(sizes.length / 2)]! / 0.6744897501960817;
}

/** ½‖x − image‖² + weight·TV(x) */
export function variationEnergy(x: ArrayLike<number>, { data, rows, columns }: Slice, weight: number): number {
  let square = 0;
  for (let i = 0; i < rows * columns; i++) square += (x[i]! - data[i]!) ** 2;
  return square / 2 + weight * variationOf(x, rows, columns);
}
