/** The two routes of parallel-beam projection, transpose and FBP. */
import { show, sinoError } from "../core/errors.ts";
import type { Geometry } from "./geometry.ts";

export const routes = ["direct", "fourier", "auto"] as const;
export type Route = (typeof routes)[number];

export interface RouteOptions {
  /**
   * "direct" (default): ray by ray and pixel by pixel, every beam. "fourier": parallel beams through Fourier space (central
   * slices of an oversampled 2-D transform, relative error 1e-4); cost grows with N² log N instead of N³. Image values are
   * then samples of a band-limited function: near sharp edges projections ring by a few permille where "direct" blurs them.
   * FBP uses the response of linear interpolation on either route. "auto": "fourier" where it is the faster one.
   */
  route?: Route | undefined;
}

/** From this many pixels and this many views on the Fourier route is the faster one (bench/ops/fourier.bench.ts). */
const fourierPixels = 256 * 256;
const fourierViews = 64;

function fourierPays({ beam, image, angles }: Geometry): boolean {
  return beam === "parallel" && image.shape[0] * image.shape[1] >= fourierPixels && angles.length >= fourierViews;
}

/** The native operation for a route. Throws ERR_SINO_OUT_OF_RANGE for an unknown one, ERR_SINO_UNSUPPORTED for "fourier" of a fan. */
export function operationOf(operation: string, geometry: Geometry, route: Route = "direct"): string {
  if (!routes.includes(route))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected route "direct", "fourier" or "auto" but received ${show(route)}.`,
    );
  if (route === "fourier" && geometry.beam !== "parallel")
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      'Route "fourier" is for parallel beams but the geometry is a fan; use route "direct" or "auto".',
    );
  return route === "fourier" || (route === "auto" && fourierPays(geometry)) ? `${operation}Fourier` : operation;
}
