/**
 * Parallel projection by the central slice theorem as a plain sum in double precision: every frequency of every view from
 * every pixel. The transposes are written out as sums too, not derived.
 */
import type { ParallelGeometry } from "../../lib/tomography/geometry.ts";
import { pixelCentre } from "./rays.ts";

export interface FourierSettings {
  /** Bins of one period of the detector; any length that keeps copies of the image off the detector gives nearly the same. */
  period: number;
  /** Response of linear interpolation between bins (sinc²). */
  linear?: boolean;
}

interface Term {
  view: number;
  /** Cycles per mm along the detector. */
  frequency: number;
  weight: number;
}

function terms(geometry: ParallelGeometry, { period, linear = false }: FourierSettings): Term[] {
  const list: Term[] = [];
  const [dy, dx] = geometry.image.pixelMm;
  const step = 1 / (period * Math.abs(geometry.binMm));
  for (const [view, deg] of geometry.angles.entries()) {
    const limit = 0.5 / Math.hypot(Math.cos((deg * Math.PI) / 180) * dx, Math.sin((deg * Math.PI) / 180) * dy);
    for (let j = 0; j * step <= limit * (1 + 1e-12); j++) {
      const x = (Math.PI * j) / period;
      const response = linear && j > 0 ? (Math.sin(x) / x) ** 2 : 1;
      // the sum over ±j; at the detector's own limit the two are one
      const count = j === 0 ? 1 : 2 * j === period && (j + 1) * step > limit ? 1 : 2;
      list.push({ view, frequency: j * step, weight: count * response * step * dx * dy });
    }
  }
  return list;
}

function axisOf(geometry: ParallelGeometry, view: number): [number, number] {
  const a = (geometry.angles[view]! * Math.PI) / 180;
  return [Math.cos(a), Math.sin(a)];
}

const binPlace = (g: ParallelGeometry, k: number) => (k - (g.bins - 1) / 2 - g.offsetBins) * g.binMm;

export function fourierProject(image: Float32Array, g: ParallelGeometry, settings: FourierSettings): Float64Array {
  const [rows, columns] = g.image.shape;
  const sinogram = new Float64Array(g.angles.length * g.bins);
  for (const { view, frequency, weight } of terms(g, settings)) {
    const [ux, uy] = axisOf(g, view);
    let re = 0;
    let im = 0;
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const [x, y] = pixelCentre(g, r, c);
        const turn = -2 * Math.PI * frequency * (x * ux + y * uy);
        re += image[r * columns + c]! * Math.cos(turn);
        im += image[r * columns + c]! * Math.sin(turn);
      }
    for (let k = 0; k < g.bins; k++) {
      const turn = 2 * Math.PI * frequency * binPlace(g, k);
      sinogram[view * g.bins + k]! += weight * (re * Math.cos(turn) - im * Math.sin(turn));
    }
  }
  return sinogram;
}

export function fourierTranspose(sinogram: Float32Array, g: ParallelGeometry, settings: FourierSettings): Float64Array {
  const [rows, columns] = g.image.shape;
  const image = new Float64Array(rows * columns);
  for (const { view, frequency, weight } of terms(g, settings)) {
    const [ux, uy] = axisOf(g, view);
    let re = 0;
    let im = 0;
    for (let k = 0; k < g.bins; k++) {
      const turn = -2 * Math.PI * frequency * binPlace(g, k);
      re += sinogram[view * g.bins + k]! * Math.cos(turn);
      im += sinogram[view * g.bins + k]! * Math.sin(turn);
    }
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const [x, y] = pixelCentre(g, r, c);
        const turn = 2 * Math.PI * frequency * (x * ux + y * uy);
        image[r * columns + c]! += weight * (re * Math.cos(turn) - im * Math.sin(turn));
      }
  }
  return image;
}
