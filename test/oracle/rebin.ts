/** Fan to parallel, one ray at a time in double: four points across views, four across bins, both readings counted. Full turns. */
import type { FanGeometry, ParallelGeometry } from "../../lib/tomography/geometry.ts";

/** Weights of the points below − 1 … below + 2 at a fraction above `below`: Lagrange's cubic. */
const cubic = (f: number) =>
  [0, 1, 2, 3].map((a) =>
    [0, 1, 2, 3].filter((b) => b !== a).reduce((product, b) => (product * (f + 1 - b)) / (a - b), 1),
  );

export function rebinDirect(sinogram: Float32Array, fan: FanGeometry, parallel: ParallelGeometry): Float64Array {
  const { bins, angles, sod, sdd, detector } = fan;
  const views = angles.length;
  const centre = (bins - 1) / 2 + fan.offsetBins;
  const pitch = detector === "arc" ? fan.binMm / sdd : (fan.binMm * sod) / sdd;
  const angleOf = (k: number) => (detector === "arc" ? (k - centre) * pitch : Math.atan(((k - centre) * pitch) / sod));
  const placeOf = (angle: number) => (detector === "arc" ? angle : sod * Math.tan(angle)) / pitch + centre;
  // places on the circle, by steps from the first view
  const step = 360 / views;
  const viewAt = new Map(
    Array.from(angles, (angle, v) => [Math.round((angle - angles[0]!) / step + 9 * views) % views, v]),
  );
  const reading = (degrees: number, angle: number) => {
    const place = placeOf(angle);
    if (place < -0.5 - 1e-6 || place > bins - 0.5 + 1e-6) return undefined;
    const k0 = Math.floor(place + 1e-9);
    return cubic(Math.max(0, place - k0)).reduce((sum, weight, a) => {
      const k = Math.min(bins - 1, Math.max(0, k0 - 1 + a));
      const turn = (degrees + (angleOf(k) * 180) / Math.PI - angles[0]!) / step;
      const v0 = Math.floor(turn + 1e-9);
      const across = cubic(Math.max(0, turn - v0)).reduce((inner, w, b) => {
        const view = viewAt.get((((v0 - 1 + b) % views) + views) % views)!;
        return inner + w * sinogram[view * bins + k]!;
      }, 0);
      return sum + weight * across;
    }, 0);
  };
  // a detector pushed sideways counts smoothly less towards its near end (as in FBP without rebinning)
  const reach = Math.min(centre, bins - 1 - centre);
  const sideways = Math.abs(fan.offsetBins) > 0.05 * bins && reach > 0;
  const shareOf = (place: number) => {
    if (!sideways) return 0.5;
    const t = Math.max(-1, Math.min(1, ((place - centre) * (fan.offsetBins < 0 ? 1 : -1)) / reach));
    return 0.5 + 0.5 * Math.sin((Math.PI / 2) * t);
  };
  const result = new Float64Array(parallel.angles.length * parallel.bins);
  for (let i = 0; i < parallel.angles.length; i++)
    for (let j = 0; j < parallel.bins; j++) {
      const t = (j - (parallel.bins - 1) / 2 - parallel.offsetBins) * parallel.binMm;
      const share = shareOf(placeOf(Math.asin(t / sod)));
      const first = reading(parallel.angles[i]!, Math.asin(t / sod));
      const second = reading(parallel.angles[i]! + 180, -Math.asin(t / sod));
      result[i * parallel.bins + j] =
        first === undefined ? (second ?? 0) : second === undefined ? first : share * first + (1 - share) * second;
    }
  return result;
}
