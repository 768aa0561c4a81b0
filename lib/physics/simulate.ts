/** Pairs for metal-artefact reduction: the same scan with and without metal. */
import { type ArrayLike, checkArray, type Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { requireFinite, select } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { batchOf } from "../tomography/batch.ts";
import { type Geometry, requireGeometry } from "../tomography/geometry.ts";
import { project } from "../tomography/project.ts";
import { fieldReferenceKeV, muWater70keV } from "./constants.ts";
import { type EdgeModel, type ImageUnit, type Layer, metalPaths, polychromatic, splitTissue } from "./forward.ts";
import { linearAttenuation, type Material, type MaterialName, materialOf } from "./materials.ts";
import { checkSeed, photonNoise } from "./noise.ts";
import { kVp120, type Spectrum, type SpectrumName, spectrumOf } from "./spectrum.ts";
import { correctWater, fieldWaterCorrection, fitWaterCorrection } from "./water-correction.ts";

export interface MetalPairOptions extends OperationOptions {
  geometry: Geometry;
  /** Seed of the photon noise. */
  seed: number;
  /** Number of the first slice, so that a set simulated in pieces draws the same noise as at once; default 0. */
  firstSlice?: number;
  /** Unit of the images; default "hu". */
  unit?: ImageUnit;
  /** Default "titanium". */
  material?: Material | MaterialName | (string & {});
  /** Of the metal, g/cm³; default nominal. */
  density?: number;
  spectrum?: Spectrum | SpectrumName;
  /** Energy whose attenuation the images show, keV; default 70. */
  referenceKeV?: number;
  /** Attenuation of water, 1/mm; default 0.0192. */
  muWater?: number;
  /** Photons per ray; Infinity means neither noise nor scatter; default 2e7. */
  photons?: number;
  /** Scattered photons per ray; default 20. */
  scatter?: number;
  /** Default "div4", as in the field's pairs. */
  edge?: EdgeModel;
}

export interface MetalPair {
  /** Measured with metal, corrected for water, dimensionless: [views, bins] or [slices, views, bins]. */
  sinogram: Volume<Float32Array>;
  /** The same scan without metal. */
  cleanSinogram: Volume<Float32Array>;
  /** 1 where a ray meets metal. */
  trace: Volume<Uint8Array<ArrayBuffer>>;
  /** The clean image as attenuation, 1/mm. */
  image: Volume<Float32Array>;
  /** What reproduces it, for manifests. */
  physics: {
    material: string;
    density: number;
    spectrum: string;
    referenceKeV: number;
    muWater: number;
    photons: number;
    scatter: number;
    edge: EdgeModel;
    seed: number;
    waterCorrection: readonly number[];
  };
}

/** Lengths of metal per ray for every slice; a single mask is projected once and then repeated by a stride of zero. */
async function metalLengths(mask: ArrayLike, lead: readonly number[], geometry: Geometry, job: OperationOptions) {
  checkArray(mask, "metalMask", [2, 3]);
  const isSingle = mask.shape.length === 2;
  if (!isSingle && mask.shape[0] !== lead[0])
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one metal mask [rows, columns], or one per image, but received masks of shape ${show([...mask.shape])} for ${lead.length ? `${lead[0]} images` : "a single image"}.`,
    );
  const lengths: ArrayLike = await project(await select(mask, 1, 0, job), geometry, job);
  if (!isSingle || lead.length === 0) return lengths;
  return { data: lengths.data, shape: [...lead, ...lengths.shape], stride: [0, ...lengths.stride!], offset: 0 };
}

/**
 * Simulates a scan with and without metal, as the field's SynDeepLesion pairs were made: tissue split softly into water and
 * bone, metal mask (not 0 = metal; tissue beneath it is kept), one projection each, polychromatic sum, Poisson noise with
 * scatter, water beam-hardening correction. Images [rows, columns] or [slices, rows, columns]; one mask for all or one each.
 * Both scans of a pair draw the same random numbers, so they are equal outside the trace.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE, ERR_SINO_OUT_OF_MEMORY.
 *
 * @example
 * const { sinogram, trace } = await simulateMetalPair(hu, mask, { geometry, material: "titanium", seed: 1 });
 */
export async function simulateMetalPair(
  images: ArrayLike,
  metalMask: ArrayLike,
  options: MetalPairOptions,
): Promise<MetalPair> {
  const { geometry, signal, onProgress, device, unit = "hu", edge = "div4" } = options;
  const { muWater = muWater70keV, referenceKeV = fieldReferenceKeV, photons = 2e7, scatter = 20 } = options;
  const job = { signal, onProgress, device };
  requireGeometry(geometry);
  const seed = checkSeed(options.seed);
  const spectrum = spectrumOf(options.spectrum ?? kVp120);
  const material = materialOf(options.material ?? "titanium");
  const density = options.density ?? material.density;
  if (!(density > 0))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive density in g/cm³ but received ${show(density)}.`);
  const { lead } = await batchOf(images, "images", geometry.image.shape, "rows × columns", job);
  await requireFinite(images, "images", job);

  const tissue = await splitTissue(images, { ...job, unit, muWater });
  const water: Layer = { material: "water", paths: await project(tissue.water, geometry, job) };
  const bone: Layer = { material: "bone", paths: await project(tissue.bone, geometry, job) };
  const lengths = await metalLengths(metalMask, lead, geometry, job);
  const attenuation = linearAttenuation(material, referenceKeV, density);
  const { paths, trace } = await metalPaths(lengths, { ...job, attenuation, edge });

  const isField = spectrum === kVp120 && referenceKeV === fieldReferenceKeV;
  const waterCorrection = isField ? fieldWaterCorrection : fitWaterCorrection(spectrum, { referenceKeV });
  const first = (options.firstSlice ?? 0) * geometry.angles.length * geometry.bins;
  const measured = async (layers: Layer[]) => {
    const ideal = await polychromatic(layers, { ...job, spectrum, referenceKeV });
    const counted =
      photons === Number.POSITIVE_INFINITY
        ? ideal
        : await photonNoise(ideal, { ...job, seed, first, photons, scatter });
    return correctWater(counted, waterCorrection, job);
  };
  const cleanSinogram = await measured([water, bone]);
  const sinogram = await measured([water, bone, { material, paths }]);
  const physics = {
    material: material.name,
    density,
    spectrum: spectrum.name,
    referenceKeV,
    muWater,
    photons,
    scatter,
    edge,
    seed,
    waterCorrection,
  };
  return { sinogram, cleanSinogram, trace, image: tissue.mu, physics };
}
