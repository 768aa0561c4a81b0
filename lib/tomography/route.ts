/** The routes of projection, transpose and FBP. */
import { show, sinoError } from "../core/errors.ts";
import type { Geometry } from "./geometry.ts";

export const routes = ["direct", "fourier", "rebinned", "auto"] as const;
export type Route = (typeof routes)[number];

export interface RouteOptions {
  /**
   * "direct" (default): ray by ray and pixel by pixel, every beam. "fourier": parallel beams through Fourier space (central
   * slices of an oversampled 2-D transform, relative error 1e-4); cost grows with N² log N instead of N³. Image values are
   * then samples of a band-limited function: near sharp edges projections ring by a few permille where "direct" blurs them.
   * FBP uses the response of linear interpolation on either route. "rebinned": `fbp` of fans by way of half as many parallel
   * views (`rebin`), several times faster and about as exact; complete scans of evenly spaced views. "auto": "fourier" where
   * it is the faster one, else "direct".
   */
  route?: Route | undefined;
}

/** From this many pixels and this many views on the Fourier route is the faster one (bench/ops/fourier.bench.ts). */
const fourierPixels = 256 * 256;
const fourierViews = 64;

function fourierPays({ beam, image, angles }: Geometry): boolean {
  return beam === "parallel" && image.shape[0] * image.shape[1] >= fourierPixels && angles.length >= fourierViews;
}

export type RoutedOperation = "project" | "projectTranspose" | "fbp";

const unsupported = (sentence: string) => sinoError("ERR_SINO_UNSUPPORTED", sentence);

/**
 * The native operation for a route. Throws ERR_SINO_OUT_OF_RANGE for an unknown one, ERR_SINO_UNSUPPORTED for "fourier" of a
 * fan and "rebinned" of a parallel beam or of anything but `fbp`.
 */
export function operationOf(operation: RoutedOperation, geometry: Geometry, route: Route = "direct"): string {
  if (!routes.includes(route))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected route "direct", "fourier", "rebinned" or "auto" but received ${show(route)}.`,
    );
  if (route === "fourier" && geometry.beam !== "parallel")
    throw unsupported('Route "fourier" is for parallel beams but the geometry is a fan; use route "direct" or "auto".');
  if (route === "rebinned" && geometry.beam === "parallel")
    throw unsupported(
      'Route "rebinned" turns a fan into parallel views but the geometry is a parallel beam; use route "direct" or "auto".',
    );
  if (route === "rebinned" && operation !== "fbp")
    throw unsupported(`Route "rebinned" is for fbp; ${operation} of a fan has the route "direct".`);
  if (route === "rebinned") return "fbpRebinned";
  return route === "fourier" || (route === "auto" && fourierPays(geometry)) ? `${operation}Fourier` : operation;
}
