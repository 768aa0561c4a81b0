/** SIRT and its ordered subsets, CGLS and the energy of TV, in double with the oracle's projector; slow and obvious. */
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { josephProject, josephTranspose } from "./joseph.ts";

type Numbers = Float64Array;
const zeros = (n: number) => new Float64Array(n);
const project = (x: Numbers, g: Geometry) => josephProject(x as unknown as Float32Array, g);
const transpose = (p: Numbers, g: Geometry) => josephTranspose(p as unknown as Float32Array, g);
const dot = (a: Numbers, b: Numbers) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const pixelsOf = (g: Geometry) => g.image.shape[0] * g.image.shape[1];

/** Views of each subset, in the order of their use. */
export function subsetsOf(geometry: Geometry, count: number): number[][] {
  const views = [...geometry.angles.keys()];
  if (count === 1) return [views];
  const bits = Math.ceil(Math.log2(count));
  const reversed = (k: number) =>
    [...k.toString(2).padStart(bits, "0")].reduceRight((n, bit) => 2 * n + Number(bit), 0);
  const order = Array.from({ length: 2 ** bits }, (_, k) => reversed(k)).filter((t) => t < count);
  return order.map((t) => views.filter((v) => v % count === t));
}

export function sartOracle(
  b: Float32Array,
  geometry: Geometry,
  { iterations, subsets = 1, relaxation = 1, low = -Infinity, high = Infinity, mask, start }: SartOracleOptions,
): Numbers {
  const x = Float64Array.from({ length: pixelsOf(geometry) }, (_, i) =>
    Math.min(high, Math.max(low, (start?.[i] ?? 0) * (mask?.[i] ?? 1))),
  );
  for (let k = 0; k < iterations; k++)
    for (const views of subsetsOf(geometry, subsets)) {
      const part = { ...geometry, angles: Float64Array.from(views, (v) => geometry.angles[v]!) };
      const rays = views.length * geometry.bins;
      const rows = project(
        zeros(x.length).map((_, i) => mask?.[i] ?? 1),
        part,
      );
      const columns = transpose(zeros(rays).fill(1), part);
      const ax = project(x, part);
      const r = zeros(rays).map((_, i) => {
        const measured = b[views[Math.floor(i / geometry.bins)]! * geometry.bins + (i % geometry.bins)]!;
        return rows[i]! > 1e-4 * Math.min(...geometry.image.pixelMm) ? (measured - ax[i]!) / rows[i]! : 0;
      });
      const step = transpose(r, part);
      for (let j = 0; j < x.length; j++) {
        const c = columns[j]! > 1e-4 * Math.min(...geometry.image.pixelMm) ? (mask?.[j] ?? 1) / columns[j]! : 0;
        x[j] = Math.min(high, Math.max(low, x[j]! + relaxation * c * step[j]!));
      }
    }
  return x;
}

export interface SartOracleOptions {
  iterations: number;
  subsets?: number;
  relaxation?: number;
  low?: number;
  high?: number;
  mask?: Uint8Array;
  start?: Float32Array;
}

export function cglsOracle(b: Float32Array, geometry: Geometry, iterations: number): Numbers {
  const x = zeros(pixelsOf(geometry));
  const r = Float64Array.from(b);
  let s = transpose(r, geometry);
  const p = s.slice();
  for (let k = 0; k < iterations; k++) {
    const gamma = dot(s, s);
    const q = project(p, geometry);
    const alpha = gamma / dot(q, q);
    for (let j = 0; j < x.length; j++) x[j]! += alpha * p[j]!;
    for (let i = 0; i < r.length; i++) r[i]! -= alpha * q[i]!;
    s = transpose(r, geometry);
    const beta = dot(s, s) / gamma;
    for (let j = 0; j < x.length; j++) p[j] = s[j]! + beta * p[j]!;
  }
  return x;
}

/** ½‖b − A·x‖²/D̄ + λ·TV(x) */
export function tvEnergy(x: Float32Array, b: Float32Array, geometry: Geometry, weight: number): number {
  const d = transpose(project(zeros(x.length).fill(1), geometry), geometry);
  const ax = project(Float64Array.from(x), geometry);
  const square = ax.reduce((sum, v, i) => sum + (b[i]! - v) ** 2, 0);
  return square / 2 / Math.sqrt(dot(d, d) / d.length) + weight * variationOf(x, ...geometry.image.shape);
}

export function variationOf(x: ArrayLike<number>, rows: number, columns: number): number {
  let sum = 0;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const here = x[r * columns + c]!;
      const right = c + 1 < columns ? x[r * columns + c + 1]! - here : 0;
      const below = r + 1 < rows ? x[(r + 1) * columns + c]! - here : 0;
      sum += Math.hypot(right, below);
    }
  return sum;
}
