/** The forward model, step by step: tissue split, metal paths, polychromatic line integrals. */
import { type ArrayLike, checkArray, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import { allocate, reserve, runJob } from "../native/job.ts";
import { packed } from "../native/pack.ts";
import { type OutputOptions, output } from "../tomography/batch.ts";
import { fieldReferenceKeV, muWater70keV } from "./constants.ts";
import { attenuationRatios, type Material, type MaterialName, materialOf } from "./materials.ts";
import { kVp120, type Spectrum, type SpectrumName, spectrumOf } from "./spectrum.ts";

/** What image values mean: HU, or attenuation in 1/mm. */
export type ImageUnit = "hu" | "mu";

export interface TissueSplitOptions extends OperationOptions {
  /** Default "hu". */
  unit?: ImageUnit | undefined;
  /** Attenuation of water, 1/mm; default 0.0192. */
  muWater?: number | undefined;
  /** All water below, HU; default 100. */
  lowHu?: number | undefined;
  /** All bone above, HU; default 1500. */
  highHu?: number | undefined;
}

export interface Tissue {
  /** Attenuation in 1/mm, never negative. */
  mu: Volume<Float32Array>;
  water: Volume<Float32Array>;
  bone: Volume<Float32Array>;
}

/**
 * Divides images into water-like and bone-like attenuation (1/mm) with a soft threshold: bone's share rises linearly from 0
 * at `lowHu` to 1 at `highHu`. Throws ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 */
export async function splitTissue(images: ArrayLike, options: TissueSplitOptions = {}): Promise<Tissue> {
  const { unit = "hu", muWater = muWater70keV, lowHu = 100, highHu = 1500 } = options;
  checkArray(images, "images");
  if (unit !== "hu" && unit !== "mu")
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected unit "hu" or "mu" but received ${show(unit)}.`);
  const muOf = (hu: number) => muWater * (1 + hu / 1000);
  const count = sizeOf(images.shape);
  const input = await packed(images, options);
  const [mu, water, bone] = [allocate(count), allocate(count), allocate(count)];
  await runJob(
    "tissueSplit",
    {
      device: options.device ?? "auto",
      count,
      scale: unit === "hu" ? muWater / 1000 : 1,
      shift: unit === "hu" ? muWater : 0,
      low: muOf(lowHu),
      high: muOf(highHu),
      input,
      mu,
      water,
      bone,
    },
    options,
  );
  const shaped = (data: Float32Array<ArrayBuffer>) => volume(data, images.shape);
  return { mu: shaped(mu), water: shaped(water), bone: shaped(bone) };
}

/** How rays that graze metal are modelled: by full path, or with a quarter of it (the field's pairs). */
export type EdgeModel = "none" | "div4";

export interface MetalPathOptions extends OperationOptions {
  /** Attenuation of the metal at the reference energy, 1/mm. */
  attenuation: number;
  /** Default "none". */
  edge?: EdgeModel | undefined;
}

/**
 * From lengths of metal per ray in mm (the projection of a 0/1 mask, [..., bins]) to line integrals of metal and the metal
 * trace (1 where the length is above 0). With edge "div4" the first and last bin of every stretch get a quarter.
 */
export async function metalPaths(
  lengths: ArrayLike,
  options: MetalPathOptions,
): Promise<{ paths: Volume<Float32Array>; trace: Volume<Uint8Array<ArrayBuffer>> }> {
  checkArray(lengths, "lengths");
  const { shape } = lengths;
  const bins = shape.at(-1) ?? 1;
  const input = await packed(lengths, options);
  const paths = output(shape, undefined);
  reserve(sizeOf(shape));
  const trace = new Uint8Array(sizeOf(shape));
  await runJob(
    "metalPath",
    {
      device: options.device ?? "auto",
      lines: sizeOf(shape.slice(0, -1)),
      bins,
      attenuation: options.attenuation,
      edge: options.edge ?? "none",
      lengths: input,
      paths: paths.data,
      trace,
    },
    options,
  );
  return { paths, trace: volume(trace, shape) };
}

export interface Layer {
  material: Material | MaterialName;
  /** Line integrals at the reference energy, dimensionless; all layers of one shape. */
  paths: ArrayLike;
}

export interface PolychromaticOptions extends OperationOptions, OutputOptions {
  /** Default the field's 120 kVp. */
  spectrum?: Spectrum | SpectrumName | undefined;
  /** Energy at which the paths are given, keV; default 70. */
  referenceKeV?: number | undefined;
}

/**
 * p = −ln Σ s(E)·exp(−Σ_m P_m·(µ/ρ)_m(E)/(µ/ρ)_m(reference)): what a photon-counting detector without energy bins sees
 * behind up to 8 materials. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE.
 *
 * @example
 * const p = await polychromatic([{ material: "water", paths: water }, { material: "bone", paths: bone }]);
 */
export async function polychromatic(
  layers: readonly Layer[],
  options: PolychromaticOptions = {},
): Promise<Volume<Float32Array>> {
  const spectrum = spectrumOf(options.spectrum ?? kVp120);
  const referenceKeV = options.referenceKeV ?? fieldReferenceKeV;
  if (layers.length < 1 || layers.length > 8)
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected 1 to 8 materials but received ${layers.length}.`);
  const { shape } = layers[0]!.paths;
  const inputs: Record<string, Float32Array> = {};
  for (const [m, { paths, material }] of layers.entries()) {
    checkArray(paths, `layers[${m}].paths`);
    if (paths.shape.length !== shape.length || paths.shape.some((n, axis) => n !== shape[axis]))
      throw sinoError(
        "ERR_SINO_SHAPE",
        `Expected the paths of every material in shape ${show([...shape])} but those of ${materialOf(material).name} have ${show([...paths.shape])}.`,
      );
    inputs[`path${m}`] = await packed(paths, options);
  }
  const ratios = layers.map(({ material }) => attenuationRatios(materialOf(material), spectrum, referenceKeV));
  const result = output(shape, options.out);
  await runJob(
    "polychromatic",
    {
      device: options.device ?? "auto",
      rays: sizeOf(shape),
      materials: layers.length,
      weights: spectrum.photons,
      ratios: Float64Array.from(ratios.flatMap((r) => [...r])),
      ...inputs,
      output: result.data,
    },
    options,
  );
  return result;
}
