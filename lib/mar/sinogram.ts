/** Metal artefact reduction from measured sinograms: LI and NMAR. The formulas and sources are in native/recon/mar.h. */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { bytes, flags, type Mask, newImage, requireNumber, requireOneOf, requireSameShape } from "../image/input.ts";
import { select } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { muWater70keV } from "../physics/constants.ts";
import { batchOf, sinogramShape } from "../tomography/batch.ts";
import type { FilterOptions } from "../tomography/fbp.ts";
import { type Geometry, nativeGeometry, requireGeometry } from "../tomography/geometry.ts";
import { countMetal } from "./metal.ts";

export const marMethods = ["li", "nmar"] as const;
export type MarMethod = (typeof marMethods)[number];

export interface MarMethodOptions extends OperationOptions {
  /** "li": linear interpolation; "nmar" (default): interpolation of the difference to a prior image's projection. */
  method?: MarMethod | undefined;
  /** How often NMAR's prior is made anew from the result before; default 1 for measured sinograms, 2 for images. */
  passes?: number | undefined;
  /** µ of water in 1/mm, for the tissue classes of the prior; default 0.0192. */
  muWater?: number | undefined;
}

export interface CorrectSinogramOptions extends MarMethodOptions, Pick<FilterOptions, "filter" | "cutoff"> {}

/** What is known of the metal: a mask in the image (the trace is then projected from it), the trace itself, or both. */
export interface MetalKnown {
  metalMask?: ArrayLike | undefined;
  trace?: ArrayLike | undefined;
}

export interface CorrectedSinograms {
  /** Reconstructions in 1/mm, not clipped; metal is not put back (see reinsertMetal). */
  images: Volume;
  /** The sinograms with the trace replaced; outside the trace bit for bit the input. */
  sinograms: Volume;
  /** 1 where a ray met metal. */
  trace: Mask;
  /** Views that lay in the trace altogether and were filled from their neighbours. */
  fullViews: number;
}

export function methodParameters(options: MarMethodOptions, defaultPasses: number) {
  const { method = "nmar", passes = defaultPasses, muWater = muWater70keV } = options;
  requireOneOf(method, "method", marMethods);
  requireNumber(passes, "passes", "a whole number from 1 to 10", (n) => Number.isInteger(n) && n >= 1 && n <= 10);
  requireNumber(muWater, "muWater", "a positive attenuation in 1/mm", (mu) => mu > 0 && Number.isFinite(mu));
  if (muWater > 0.1)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected muWater in 1/mm, about 0.02, but received ${muWater}; 1/cm is ten times as much.`,
    );
  return { method, passes, muWater };
}

/**
 * The metal trace: 1 for every ray that meets the mask, [views, bins] or [slices, views, bins], by the same projector and
 * geometry that reconstruct. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE.
 */
export async function metalTrace(
  metalMask: ArrayLike,
  geometry: Geometry,
  options: OperationOptions = {},
): Promise<Mask> {
  requireGeometry(geometry);
  const masks = await flags(metalMask, "metalMask", options, [2, 3]);
  requireImageShape(metalMask, geometry);
  const lead = metalMask.shape.slice(0, -2);
  const [views, bins] = sinogramShape(geometry);
  const trace = volume(bytes(sizeOf(lead) * views * bins), [...lead, views, bins]);
  await runJob(
    "metalTrace",
    {
      device: options.device ?? "auto",
      geometry: nativeGeometry(geometry),
      slices: sizeOf(lead),
      masks,
      trace: trace.data,
    },
    options,
  );
  return trace;
}

/**
 * Replaces what was measured behind metal and reconstructs. Sinograms [views, bins] or [slices, views, bins], dimensionless.
 * An empty mask gives the plain FBP. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (also NaN in a sinogram, or metal that covers
 * every ray), ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_MEMORY.
 *
 *     const { images } = await correctSinogram(sinogram, { metalMask }, geometry, { method: "nmar" });
 */
export async function correctSinogram(
  sinograms: ArrayLike,
  known: MetalKnown,
  geometry: Geometry,
  options: CorrectSinogramOptions = {},
): Promise<CorrectedSinograms> {
  requireGeometry(geometry);
  if (!known?.metalMask && !known?.trace)
    throw sinoError("ERR_SINO_ARG_TYPE", "Expected metalMask or trace: nothing says where the metal is.");
  const method = methodParameters(options, 1);
  const quiet = { signal: options.signal, device: options.device };
  const { data, slices, lead } = await batchOf(sinograms, "sinograms", sinogramShape(geometry), "views × bins", quiet);
  const masks = known.metalMask && (await maskOf(known.metalMask, slices, geometry, quiet));
  const trace = known.trace ? await traceOf(known.trace, sinograms, quiet) : await metalTrace(masks!, geometry, quiet);
  const corrected = newImage([...lead, ...sinogramShape(geometry)]);
  const images = newImage([...lead, ...geometry.image.shape]);
  const { fullViews } = await runJob(
    "correctSinograms",
    {
      device: options.device ?? "auto",
      geometry: nativeGeometry(geometry),
      ...method,
      filter: options.filter ?? "ram-lak",
      cutoff: options.cutoff ?? 1,
      slices,
      sinograms: data,
      trace: trace.data,
      ...(masks ? { masks: masks.data } : {}),
      corrected: corrected.data,
      images: images.data,
    },
    options,
  );
  if (fullViews === slices * geometry.angles.length && fullViews > 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      "The metal trace covers every ray of every view: nothing is left to interpolate from.",
    );
  return { images, sinograms: corrected, trace, fullViews: fullViews ?? 0 };
}

/** The uncorrected pixels where the mask is set, the corrected ones elsewhere. */
export function reinsertMetal(
  images: ArrayLike,
  uncorrected: ArrayLike,
  metalMask: ArrayLike,
  options: OperationOptions = {},
): Promise<Volume> {
  return select(metalMask, uncorrected, images, options);
}

function requireImageShape(mask: ArrayLike, geometry: Geometry): void {
  const [rows, columns] = geometry.image.shape;
  if (mask.shape.at(-2) !== rows || mask.shape.at(-1) !== columns)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected metalMask of rows × columns ${rows} × ${columns} as the geometry says but received shape ${show([...mask.shape])}.`,
    );
}

async function maskOf(
  metalMask: ArrayLike,
  slices: number,
  geometry: Geometry,
  options: OperationOptions,
): Promise<Mask> {
  const mask = volume(await flags(metalMask, "metalMask", options, [2, 3]), metalMask.shape) as Mask;
  requireImageShape(metalMask, geometry);
  if (sizeOf(metalMask.shape.slice(0, -2)) !== slices)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one metal mask per sinogram, ${slices}, but received shape ${show([...metalMask.shape])}.`,
    );
  await countMetal(mask, slices, sizeOf(geometry.image.shape), options);
  return mask;
}

async function traceOf(trace: ArrayLike, sinograms: ArrayLike, options: OperationOptions): Promise<Mask> {
  const set = await flags(trace, "trace", options);
  requireSameShape(trace, "trace", sinograms, "sinograms");
  return volume(set, trace.shape) as Mask;
}
