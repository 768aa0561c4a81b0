/** Filtered back-projection by the textbook, in double: direct convolution, one pixel and view at a time. */
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { pixelCentre } from "./rays.ts";

/** One share of the turn per view, and a weight per ray, are given: what they should be is tested elsewhere. */
export function fbpDirect(
  sinogram: Float32Array,
  geometry: Geometry,
  shareRad: (view: number) => number,
  rayWeight: (view: number, gammaRad: number) => number = () => 1,
): Float64Array {
  const { bins, angles, offsetBins, image } = geometry;
  const fan = geometry.beam === "fan";
  const arc = fan && geometry.detector === "arc";
  const sod = fan ? geometry.sod : 0;
  const pitch = !fan ? geometry.binMm : arc ? geometry.binMm / geometry.sdd : (geometry.binMm * sod) / geometry.sdd;
  const centre = (bins - 1) / 2 + offsetBins;
  const gammaOf = (k: number) => (!fan ? 0 : arc ? (k - centre) * pitch : Math.atan(((k - centre) * pitch) / sod));
  const h = (n: number) => {
    if (n === 0) return 1 / (4 * pitch * pitch);
    if (n % 2 === 0) return 0;
    const s = arc ? Math.sin(n * pitch) : n * pitch;
    return -1 / (Math.PI * s) ** 2;
  };
  const [rows, columns] = image.shape;
  const result = new Float64Array(rows * columns);
  for (let v = 0; v < angles.length; v++) {
    const row = new Float64Array(bins);
    for (let k = 0; k < bins; k++)
      row[k] = sinogram[v * bins + k]! * Math.cos(gammaOf(k)) * (arc ? sod : 1) * rayWeight(v, gammaOf(k));
    const filtered = new Float64Array(bins);
    for (let k = 0; k < bins; k++) {
      let sum = 0;
      for (let j = 0; j < bins; j++) sum += row[j]! * h(k - j);
      filtered[k] = sum * Math.abs(pitch);
    }
    const theta = (angles[v]! * Math.PI) / 180;
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const [x, y] = pixelCentre(geometry, r, c);
        const n = x * Math.cos(theta) + y * Math.sin(theta);
        const d = sod - x * Math.sin(theta) + y * Math.cos(theta);
        const t = centre + (!fan ? n : arc ? Math.atan2(n, d) : (sod * n) / d) / pitch;
        const weight = !fan ? 1 : arc ? 1 / (n * n + d * d) : (sod / d) ** 2;
        const k = Math.floor(t);
        const at = (j: number) => (j >= 0 && j < bins ? filtered[j]! : 0);
        result[r * columns + c]! += shareRad(v) * weight * ((1 - (t - k)) * at(k) + (t - k) * at(k + 1));
      }
  }
  return result;
}
