/**
 * Metal artefact reduction that uses what was measured behind metal: the physics of the measurement inverted ray by ray. How it
 * works is in native/recon/polychromatic_mar.h.
 */
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { flags, type Mask, newImage, newMask, requireNumber, requireOneOf } from "../image/input.ts";
import { statistics } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { runJob } from "../native/job.ts";
import { batchOf, sinogramShape } from "../tomography/batch.ts";
import { type Geometry, nativeGeometry, requireGeometry } from "../tomography/geometry.ts";
import { numbersPerVerdict, type SliceVerdict, sliceVerdict } from "./guard.ts";
import { countMetal } from "./metal.ts";
import { type MarPhysics, marPhysics, physicsTables } from "./physics.ts";

export interface PolychromaticOptions extends OperationOptions {
  /** Mask of the metal, shaped like the images; found in them where it is not given. */
  metalMask?: ArrayLike | undefined;
  /** What is known of the measurement; default `marPhysics("auto")`: the field's 120 kVp, an unknown metal. */
  physics?: MarPhysics | undefined;
  /** Give NMAR, or a part of it, where signals say that the physics does not fit; default true. */
  guarded?: boolean | undefined;
  /** How often metal and tissue are solved in turn, 1 to 10; default 3. */
  iterations?: number | undefined;
  /** FBP refinements at the end, 0 to 10; default 0 to 3, by the photons. */
  refinements?: number | undefined;
}

export interface PolychromaticResult {
  /** 1/mm; metal is not put back (see reinsertMetal). */
  images: Volume;
  /** Where metal was taken to be. */
  metal: Mask;
  slices: SliceVerdict[];
}

/** Line integrals of more than e^40 to one are never measured; counts are, and they are hundreds. */
const mostLineIntegral = 40;

/**
 * Images of water-corrected sinograms [views, bins] or [slices, views, bins], dimensionless, with what metal did undone by physics.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE (also for counts in place of line integrals).
 *
 *     const { images, slices } = await polychromaticMar(sinogram, geometry, { physics: marPhysics(await readPhysics("P.json")) });
 */
export async function polychromaticMar(
  sinograms: ArrayLike,
  geometry: Geometry,
  options: PolychromaticOptions = {},
): Promise<PolychromaticResult> {
  requireGeometry(geometry);
  const { signal, device, onProgress, physics = marPhysics(), iterations, refinements } = options;
  const quiet = { signal, device };
  const upTo10 = (least: number) => (n: number) => Number.isInteger(n) && n >= least && n <= 10;
  if (iterations !== undefined) requireNumber(iterations, "iterations", "a whole number from 1 to 10", upTo10(1));
  if (refinements !== undefined) requireNumber(refinements, "refinements", "a whole number from 0 to 10", upTo10(0));
  requireOneOf(physics.edge, "physics.edge", ["auto", "div4", "subray"]);
  const { data, slices, lead } = await batchOf(sinograms, "sinograms", sinogramShape(geometry), "views × bins", quiet);
  await requireLineIntegrals(volume(data, sinograms.shape), quiet);
  const imageShape = [...lead, ...geometry.image.shape];
  const masks = options.metalMask && (await masksOf(options.metalMask, imageShape, slices, quiet));
  const images = newImage(imageShape);
  const metal = newMask(imageShape);
  const verdicts = new Float64Array(slices * numbersPerVerdict);
  await runJob(
    "polychromaticMar",
    {
      device: device ?? "auto",
      geometry: nativeGeometry(geometry),
      ...physicsTables(physics),
      guarded: options.guarded ?? true,
      iterations: iterations ?? 0,
      refinements: refinements ?? -1,
      filter: "ram-lak",
      cutoff: 1,
      slices,
      sinograms: data,
      ...(masks ? { masks } : {}),
      images: images.data,
      metal: metal.data,
      verdicts,
    },
    { signal, onProgress },
  );
  const numbers = (s: number) => verdicts.subarray(s * numbersPerVerdict, (s + 1) * numbersPerVerdict);
  return { images, metal, slices: Array.from({ length: slices }, (_, s) => sliceVerdict(numbers(s), physics)) };
}

async function masksOf(mask: ArrayLike, shape: number[], slices: number, options: OperationOptions) {
  const set = await flags(mask, "metalMask", options, [2, 3]);
  if (mask.shape.join() !== shape.join())
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected metalMask of shape ${show(shape)}, one mask per image, but received ${show([...mask.shape])}.`,
    );
  await countMetal({ data: set, shape } as Mask, slices, sizeOf(shape) / Math.max(1, slices), options);
  return set;
}

/** Mean of the first and last bin of every view. */
function meanAtEnds({ data, shape }: ArrayLike): number {
  const bins = shape.at(-1)!;
  let sum = 0;
  for (let i = 0; i < data.length; i += bins) sum += data[i]! + data[i + bins - 1]!;
  return (sum * bins) / (2 * data.length);
}

async function requireLineIntegrals(sinograms: ArrayLike, options: OperationOptions): Promise<void> {
  const { minimum, maximum, nonFinite } = await statistics(sinograms, options);
  if (nonFinite > 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected finite line integrals but ${nonFinite} are NaN or infinite: −ln of a count of zero or less? Give such rays the smallest count.`,
      { details: { nonFinite } },
    );
  if (maximum > mostLineIntegral)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected line integrals, −ln(I/I₀), corrected for water, but received values up to ${Number(maximum.toPrecision(4))}. Counts? Divide them by those without an object and take −ln.`,
      { details: { minimum, maximum } },
    );
  if (minimum >= 0 && minimum < 0.3 * maximum && meanAtEnds(sinograms) > 0.8 * maximum)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      "Expected line integrals, −ln(I/I₀), but the values are largest at the ends of the detector, where the object is thinnest. Transmissions or counts? Take −ln(I/I₀).",
      { details: { minimum, maximum } },
    );
}
