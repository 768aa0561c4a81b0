/** What polychromatic metal artefact reduction assumes of the measurement, and its tables for the addon. */
import { sinoError } from "../core/errors.ts";
import {
  attenuationRatios,
  linearAttenuation,
  type Material,
  type MaterialName,
  materialOf,
} from "../physics/materials.ts";
import { type Physics, parsePhysics } from "../physics/physics.ts";
import { makeSpectrum, type Spectrum } from "../physics/spectrum.ts";
import { fitWaterCorrection } from "../physics/water-correction.ts";

/**
 * How rays that graze metal are modelled: "div4", the field's quarter paths; "subray", several rays through an outline finer than the
 * pixels; "auto", whichever leaves less of the trace unexplained.
 */
export type MarEdgeModel = "auto" | "div4" | "subray";

export interface PossibleMetal {
  material: Material;
  /** Nominal density, g/cm³. */
  density: number;
  /** Share by which the density may differ; 0: it is known. */
  tolerance: number;
}

export interface MarPhysics {
  spectrum: Spectrum;
  /** Energy whose attenuation images show, keV. */
  referenceKeV: number;
  /** µ of water, 1/mm. */
  muWater: number;
  /** Water below, bone above, HU. */
  tissue: { lowHu: number; highHu: number };
  /** Per ray without an object, and how many scattered ones every ray counts. */
  photons: number;
  scatter: number;
  /** Of p, p², …: what made the sinogram linear in water. */
  waterCorrection: readonly number[];
  edge: MarEdgeModel;
  /** With edge "auto": the spectrum, at the same energies, and water correction of a scanner, taken for "subray"; default the ones above. */
  scanner?: { spectrum: Spectrum; waterCorrection: readonly number[] } | undefined;
  metals: readonly PossibleMetal[];
}

/** What metal in a patient may be, where nobody says. */
export const usualMetals: readonly MaterialName[] = ["titanium", "iron", "copper"];

/** Densities of alloys differ from the nominal ones by so much. */
const usualTolerance = 0.15;
/** For a measurement without noise. */
const mostPhotons = 1e9;

/** Metals by name, of unknown density unless `tolerance` is 0. Throws ERR_SINO_OUT_OF_RANGE for a name nobody knows. */
export function possibleMetals(
  names: readonly (Material | MaterialName | (string & {}))[] = usualMetals,
  tolerance: number = usualTolerance,
): PossibleMetal[] {
  if (names.length === 0) throw sinoError("ERR_SINO_OUT_OF_RANGE", "Expected at least one possible metal.");
  if (!(tolerance >= 0 && tolerance < 1))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a tolerance from 0 to below 1 but received ${tolerance}.`);
  return names.map((name) => {
    const material = materialOf(name);
    return { material, density: material.density, tolerance };
  });
}

/** A spectrum as detectors of scanners see it, who integrate energy: photons weighed by theirs. */
function integrated(spectrum: Spectrum, referenceKeV: number) {
  const { energiesKeV, photons, name } = spectrum;
  const weighted = makeSpectrum({
    name: `${name}, energy integrated`,
    energiesKeV,
    photons: photons.map((n, i) => n * energiesKeV[i]!),
  });
  return { spectrum: weighted, waterCorrection: fitWaterCorrection(weighted, { referenceKeV }) };
}

/**
 * From the physics of a scan: spectrum, water correction, photons, and the metal with its density as known. "auto" is the field's
 * 120 kVp with metal, density and edge model unknown, its energy integrated where rays are those of a scanner.
 */
export function marPhysics(physics: Physics | "auto" = "auto"): MarPhysics {
  const { spectrum, referenceKeV, muWater, tissue, photons, dose, scatter, waterCorrection, metal } =
    physics === "auto" ? parsePhysics({}) : physics;
  const known = { material: metal.material, density: metal.density, tolerance: 0 };
  return {
    spectrum,
    referenceKeV,
    muWater,
    tissue,
    photons: Math.min(photons * dose, mostPhotons),
    scatter: Number.isFinite(photons) ? scatter.photons * dose : 0,
    waterCorrection,
    edge: physics === "auto" ? "auto" : metal.edge === "none" ? "subray" : metal.edge,
    scanner: physics === "auto" ? integrated(spectrum, referenceKeV) : undefined,
    metals: physics === "auto" ? possibleMetals() : [known],
  };
}

const energiesAtOnce = 3;

/** Energies put together in threes; p changes by 0.005 at most, the result on the field's pairs by 0.02 dB. */
function grouped(photons: Float64Array, ratios: readonly Float64Array[]) {
  const groups = Math.ceil(photons.length / energiesAtOnce);
  const mean = (g: number, values?: Float64Array) => {
    const [first, end] = [g * energiesAtOnce, (g + 1) * energiesAtOnce];
    const shares = photons.subarray(first, end);
    const total = shares.reduce((sum, n) => sum + n, 0);
    if (!values) return total;
    return total > 0 ? shares.reduce((sum, n, e) => sum + n * values[first + e]!, 0) / total : values[first]!;
  };
  const all = Array.from({ length: groups }, (_, g) => g);
  return {
    weights: Float64Array.from(all, (g) => mean(g)),
    ratios: Float64Array.from(ratios.flatMap((ratio) => all.map((g) => mean(g, ratio)))),
  };
}

export function physicsTables(physics: MarPhysics) {
  const { spectrum, referenceKeV, muWater, tissue, metals, photons, scatter, edge, scanner } = physics;
  const materials = [materialOf("water"), materialOf("bone"), ...metals.map(({ material }) => material)];
  const ratios = materials.map((material) => attenuationRatios(material, spectrum, referenceKeV));
  return {
    ...grouped(spectrum.photons, ratios),
    attenuations: Float64Array.from(metals, (m) => linearAttenuation(m.material, referenceKeV, m.density)),
    tolerances: Float64Array.from(metals, ({ tolerance }) => tolerance),
    waterCorrection: Float64Array.from(physics.waterCorrection),
    ...(scanner
      ? {
          scannerWeights: grouped(scanner.spectrum.photons, []).weights,
          scannerWaterCorrection: Float64Array.from(scanner.waterCorrection),
        }
      : {}),
    low: muWater * (1 + tissue.lowHu / 1000),
    high: muWater * (1 + tissue.highHu / 1000),
    photons,
    scatter,
    muWater,
    edge,
  };
}
