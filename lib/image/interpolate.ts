/** Linear interpolation across the metal trace (LI). */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import type { OperationOptions } from "../native/job.ts";
import { flags, floats, newImage, planesOf, requireSameShape, run } from "./input.ts";

export interface InterpolateOptions extends OperationOptions {
  /** A prior sinogram P of the same shape: the difference S − P is interpolated and P added back. */
  prior?: ArrayLike | undefined;
}

export interface Interpolated {
  sinograms: Volume;
  /** Views in which every bin was flagged: interpolated between the nearest other views, or P (0) where there is none. */
  fullViews: number;
}

/**
 * Sinograms [slice, view, bin] (or one [view, bin]) with the bins that `trace` flags replaced, view by view, by linear
 * interpolation along the detector; a gap at the detector's end takes its one neighbour. Outside the trace the result is the
 * input, bit for bit. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 */
export async function interpolateMasked(
  sinograms: ArrayLike,
  trace: ArrayLike,
  options: InterpolateOptions = {},
): Promise<Interpolated> {
  const data = await floats(sinograms, "sinograms", options, [2, 3]);
  const flagged = await flags(trace, "trace", options);
  requireSameShape(trace, "trace", sinograms, "sinograms");
  const { prior } = options;
  let base: Float32Array | undefined;
  if (prior) {
    base = await floats(prior, "prior", options);
    requireSameShape(prior, "prior", sinograms, "sinograms");
  }
  const result = newImage(sinograms.shape);
  const { slices, rows: views, columns: bins } = planesOf(sinograms.shape);
  const parameters = { slices, views, bins, sinograms: data, trace: flagged, prior: base, output: result.data };
  const { fullViews } = await run("interpolate", parameters, options);
  return { sinograms: result, fullViews: fullViews! };
}
