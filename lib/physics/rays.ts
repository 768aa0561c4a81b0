/** The rays of a simulated scan: one geometry per place of the focal spot and moment of the view, each with several rays per bin. */
import { sinoError } from "../core/errors.ts";
import type { FanGeometry, Geometry } from "../tomography/geometry.ts";
import type { Physics } from "./physics.ts";

/** n places evenly spread over a width, about 0. */
const spread = (width: number, n: number) => Array.from({ length: n }, (_, i) => width * ((i + 0.5) / n - 0.5));

/** The usual step between views in degrees: the median, as scans may have gaps. */
function viewStep(angles: Float64Array): number {
  const steps = Array.from(angles.subarray(1), (angle, i) => Math.abs(angle - angles[i]!)).sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? 0;
}

const turned = <G extends Geometry>(geometry: G, degrees: number): G =>
  degrees === 0 ? geometry : { ...geometry, angles: geometry.angles.map((angle) => angle + degrees) };

/**
 * The source moved by `mm` along the detector. Seen from it the scan is turned by δ = mm/sod and the detector lies (sdd − sod)·δ
 * further along: exact to first order in δ, which is a thousandth.
 */
function withSourceAt(geometry: FanGeometry, mm: number): FanGeometry {
  const delta = mm / geometry.sod;
  const shift = ((geometry.sdd - geometry.sod) * delta) / geometry.binMm;
  return turned({ ...geometry, offsetBins: geometry.offsetBins - shift }, (delta * 180) / Math.PI);
}

/** The detector moved by a quarter of a bin, so that opposite rays of a full turn interlace. */
export const quarterShifted = (geometry: Geometry): Geometry => ({
  ...geometry,
  offsetBins: geometry.offsetBins + 0.25,
});

/** `parts` bins in the place of every one. */
function divided(geometry: Geometry, parts: number): Geometry {
  const { bins, binMm, offsetBins } = geometry;
  return { ...geometry, bins: bins * parts, binMm: binMm / parts, offsetBins: offsetBins * parts };
}

/** Geometries [..., bins · rays.perBin] whose intensities together are the scan. Throws ERR_SINO_UNSUPPORTED for a parallel beam with a focal spot. */
export function raysOf(
  geometry: Geometry,
  { perBin, focalSpotMm, perFocalSpot, perView }: Physics["rays"],
): Geometry[] {
  if (focalSpotMm > 0 && geometry.beam === "parallel")
    throw sinoError("ERR_SINO_UNSUPPORTED", "A parallel beam has no focal spot: leave rays.focalSpotMm out.");
  const moments = spread(viewStep(geometry.angles), perView).map((degrees) => turned(geometry, degrees));
  const places = (view: Geometry): Geometry[] =>
    view.beam === "fan" ? spread(focalSpotMm, perFocalSpot).map((mm) => withSourceAt(view, mm)) : [view];
  return moments.flatMap(places).map((one) => (perBin === 1 ? one : divided(one, perBin)));
}

/** The same rays through an image of `factor` pixels in the place of every one along each axis. */
export function onFinerGrid(geometry: Geometry, factor: number): Geometry {
  if (factor === 1) return geometry;
  const { image } = geometry;
  return {
    ...geometry,
    image: {
      ...image,
      shape: [image.shape[0] * factor, image.shape[1] * factor],
      pixelMm: [image.pixelMm[0] / factor, image.pixelMm[1] / factor],
    },
  };
}
