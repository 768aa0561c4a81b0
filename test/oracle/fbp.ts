/** Filtered back-projection by the textbook, in double: direct convolution, one pixel and view at a time. */
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { pixelCentre } from "./rays.ts";

/** Bin pitch in mm, or radians on an arc; the bin on the axis; the fan angle of a bin. */
function detector(geometry: Geometry) {
  const { bins, offsetBins } = geometry;
  const fan = geometry.beam === "fan";
  const arc = fan && geometry.detector === "arc";
  const sod = fan ? geometry.sod : 0;
  const pitch = !fan ? geometry.binMm : arc ? geometry.binMm / geometry.sdd : (geometry.binMm * sod) / geometry.sdd;
  const centre = (bins - 1) / 2 + offsetBins;
  const gammaOf = (k: number) => (!fan ? 0 : arc ? (k - centre) * pitch : Math.atan(((k - centre) * pitch) / sod));
  return { fan, arc, sod, pitch, centre, gammaOf };
}

/** Views weighted by the cosine, filtered, and multiplied by their share of the turn: what fbp back-projects. */
export function filterDirect(
  sinogram: Float32Array,
  geometry: Geometry,
  shareRad: (view: number) => number,
): Float64Array {
  const { bins, angles } = geometry;
  const { arc, sod, pitch, gammaOf } = detector(geometry);
  const h = (n: number) => {
    if (n === 0) return 1 / (4 * pitch * pitch);
    if (n % 2 === 0) return 0;
    const s = arc ? Math.sin(n * pitch) : n * pitch;
    return -1 / (Math.PI * s) ** 2;
  };
  const filtered = new Float64Array(angles.length * bins);
  for (let v = 0; v < angles.length; v++) {
    const row = Float64Array.from({ length: bins }, (_, k) => sinogram[v * bins + k]! * Math.cos(gammaOf(k)));
    for (let k = 0; k < bins; k++) {
      let sum = 0;
      for (let j = 0; j < bins; j++) sum += row[j]! * h(k - j);
      // on an arc the distance weight is sod²/L², so one sod is divided out here
      filtered[v * bins + k] = (sum * Math.abs(pitch) * shareRad(v)) / (arc ? sod : 1);
    }
  }
  return filtered;
}

export function backprojectDirect(filtered: ArrayLike<number>, geometry: Geometry): Float64Array {
  const { bins, angles, image } = geometry;
  const { fan, arc, sod, pitch, centre } = detector(geometry);
  const [rows, columns] = image.shape;
  const result = new Float64Array(rows * columns);
  for (let v = 0; v < angles.length; v++) {
    const theta = (angles[v]! * Math.PI) / 180;
    const at = (j: number) => (j >= 0 && j < bins ? filtered[v * bins + j]! : 0);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const [x, y] = pixelCentre(geometry, r, c);
        const n = x * Math.cos(theta) + y * Math.sin(theta);
        const d = sod - x * Math.sin(theta) + y * Math.cos(theta);
        const t = centre + (!fan ? n : arc ? Math.atan2(n, d) : (sod * n) / d) / pitch;
        const weight = !fan ? 1 : arc ? (sod * sod) / (n * n + d * d) : (sod / d) ** 2;
        const k = Math.floor(t);
        result[r * columns + c]! += weight * ((1 - (t - k)) * at(k) + (t - k) * at(k + 1));
      }
  }
  return result;
}

/** The share of the turn that each view stands for is given: what it should be is tested elsewhere. */
export function fbpDirect(
  sinogram: Float32Array,
  geometry: Geometry,
  shareRad: (view: number) => number,
): Float64Array {
  return backprojectDirect(filterDirect(sinogram, geometry, shareRad), geometry);
}
