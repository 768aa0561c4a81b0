/** Fan-beam sinograms as parallel ones. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { addon } from "../native/addon.ts";
import { fromNative, type OperationOptions, runJob } from "../native/job.ts";
import { batchOf, type OutputOptions, output, sinogramShape } from "./batch.ts";
import { type Geometry, nativeGeometry, type ParallelGeometry, parallelBeam, requireGeometry } from "./geometry.ts";

/**
 * The parallel scan that `rebin` makes of a fan: the fan's step between views over 180°, its pitch on the axis, its image.
 * Throws ERR_SINO_UNSUPPORTED for a parallel beam, an incomplete scan, or views that are not evenly spaced.
 */
export function rebinnedGeometry(geometry: Geometry): ParallelGeometry {
  requireGeometry(geometry);
  try {
    const { views, startDeg, stepDeg, ...detector } = addon().describeRebinned(nativeGeometry(geometry));
    const angles = { start: startDeg, span: views * stepDeg, count: views };
    return parallelBeam({ ...detector, angles, image: geometry.image });
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * Interpolates fan-beam sinograms [views, bins] or [slices, views, bins] to parallel views (four points across views, four
 * across bins), averaging the two readings of each ray: half as many views for a full turn. The result goes with
 * `rebinnedGeometry(geometry)`. `fbp` does this and the rest with route "rebinned".
 * Throws as rebinnedGeometry does, ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN or infinity), ERR_SINO_OUT_OF_MEMORY.
 *
 * @example
 * const image = await fbp(await rebin(sinogram, fan), rebinnedGeometry(fan), { route: "fourier" });
 */
export async function rebin(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: OperationOptions & OutputOptions = {},
): Promise<Volume> {
  const shape = sinogramShape(rebinnedGeometry(geometry));
  const { data, slices, lead } = await batchOf(
    sinograms,
    "sinograms",
    sinogramShape(geometry),
    "views × bins",
    options,
  );
  const parallel = output([...lead, ...shape], options.out);
  await runJob(
    "rebin",
    {
      device: options.device ?? "auto",
      geometry: nativeGeometry(geometry),
      slices,
      sinograms: data,
      parallel: parallel.data,
    },
    options,
  );
  return parallel;
}
