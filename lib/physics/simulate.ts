/** Pairs for metal-artefact reduction as the field makes them: simulateScan with that protocol's defaults. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import type { OperationOptions } from "../native/job.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { fieldReferenceKeV, muWater70keV } from "./constants.ts";
import type { EdgeModel, ImageUnit } from "./forward.ts";
import { type Material, type MaterialName, materialOf } from "./materials.ts";
import { type Physics, parsePhysics } from "./physics.ts";
import { simulateScan } from "./scan.ts";
import { kVp120, type Spectrum, type SpectrumName, spectrumOf } from "./spectrum.ts";
import { fieldWaterCorrection, fitWaterCorrection } from "./water-correction.ts";

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
  const { geometry, seed, firstSlice, unit, edge = "div4", density, signal, onProgress, device } = options;
  const { referenceKeV = fieldReferenceKeV, muWater = muWater70keV, photons = 2e7, scatter = 20 } = options;
  const spectrum = spectrumOf(options.spectrum ?? kVp120);
  const material = materialOf(options.material ?? "titanium");
  if (density !== undefined && !(density > 0))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive density in g/cm³ but received ${show(density)}.`);
  const field = parsePhysics({ metal: { edge }, referenceKeV, muWater, scatter: { photons: scatter } });
  const isField = spectrum === kVp120 && referenceKeV === fieldReferenceKeV;
  const waterCorrection = isField ? fieldWaterCorrection : fitWaterCorrection(spectrum, { referenceKeV });
  const metal = { ...field.metal, material, density: density ?? material.density };
  const physics: Physics = { ...field, spectrum, photons, metal, waterCorrection };
  const job = { geometry, seed, firstSlice, unit, signal, onProgress, device };
  const scan = await simulateScan(images, { ...job, physics, metalMask });
  return {
    sinogram: scan.sinogram,
    cleanSinogram: scan.cleanSinogram!,
    trace: scan.trace!,
    image: scan.image,
    physics: {
      material: material.name,
      density: metal.density,
      spectrum: spectrum.name,
      referenceKeV,
      muWater,
      photons,
      scatter,
      edge,
      seed,
      waterCorrection,
    },
  };
}
