/** X-ray spectra: photons per energy bin, as the detector would count them without an object. */
import { show, sinoError } from "../core/errors.ts";
import { tableFirstKeV } from "./attenuation-table.ts";
import { spectrum120kVp } from "./spectrum-table.ts";
import { tungstenSpectrum } from "./tungsten.ts";

export interface Spectrum {
  readonly name: string;
  /** Bin centres, rising. */
  readonly energiesKeV: Float64Array;
  /** Fraction of all photons in each bin; sums to 1. */
  readonly photons: Float64Array;
  readonly source?: string;
}

export interface SpectrumOptions {
  name?: string;
  energiesKeV: ArrayLike<number>;
  /** Photons per bin, any scale. */
  photons: ArrayLike<number>;
  source?: string;
}

/**
 * A spectrum from a table: energies in keV (rising, 1 to 1000) and photons per bin, which are normalised to sum 1.
 * Throws ERR_SINO_OUT_OF_RANGE for an empty, unsorted or negative table, or one that is not in keV; ERR_SINO_SHAPE where
 * lengths differ.
 */
export function makeSpectrum({ name = "custom", energiesKeV, photons, source }: SpectrumOptions): Spectrum {
  const energies = Float64Array.from(energiesKeV);
  const counts = Float64Array.from(photons);
  if (energies.length !== counts.length)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one photon count per energy but received ${energies.length} energies and ${counts.length} counts.`,
    );
  if (energies.length === 0) throw sinoError("ERR_SINO_OUT_OF_RANGE", "Expected a spectrum with at least one energy.");
  const unsorted = energies.findIndex((e, i) => i > 0 && !(e > energies[i - 1]!));
  if (unsorted >= 0)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected rising energies but entry ${unsorted} is ${energies[unsorted]} after ${energies[unsorted - 1]}.`,
    );
  const [first, last] = [energies[0]!, energies.at(-1)!];
  if (!(first >= 1 && last <= 1000))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected energies in keV, from 1 to 1000, but received ${first} to ${last}. ${last < 1 ? "MeV? Multiply by 1000." : last > 1000 ? "eV? Divide by 1000." : ""}`.trim(),
      { details: { first, last } },
    );
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (counts.some((n) => !(n >= 0)) || !(total > 0) || !Number.isFinite(total))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", "Expected photon counts that are finite, not negative and not all zero.");
  return {
    name,
    energiesKeV: energies,
    photons: Math.abs(total - 1) < 1e-12 ? counts : counts.map((n) => n / total), // a table that came from here stays as it is
    ...(source ? { source } : {}),
  };
}

/** 120 kVp, 20–120 keV in steps of 1 keV, mean 55.1 keV: the spectrum of the field's simulated pairs. */
export const kVp120: Spectrum = makeSpectrum({
  name: "120kVp",
  energiesKeV: spectrum120kVp.map((_, i) => tableFirstKeV + i),
  photons: spectrum120kVp,
  source: "GE 120 kVp as in CNN-MAR, ADN (BSD-2-Clause) and SynDeepLesion",
});

const named: Readonly<Record<string, Spectrum>> = { "120kVp": kVp120 };
export type SpectrumName = "120kVp" | `${number}kVp`;

/**
 * A spectrum by name, or the given one: "120kVp" is the table above, other voltages from "40kVp" to "150kVp" are tungstenSpectrum's.
 * Throws ERR_SINO_OUT_OF_RANGE for an unknown name.
 */
export function spectrumOf(spectrum: Spectrum | SpectrumName | (string & {})): Spectrum {
  if (typeof spectrum !== "string") return spectrum;
  if (Object.hasOwn(named, spectrum)) return named[spectrum]!;
  const kVp = Number(/^(\d+)\s*kVp$/i.exec(spectrum)?.[1]);
  if (kVp >= 40 && kVp <= 150) return kVp === 120 ? kVp120 : tungstenSpectrum({ kVp });
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected a spectrum by voltage, "40kVp" to "150kVp" ("120kVp" is the field's table), but received ${show(spectrum)}. makeSpectrum takes any table.`,
  );
}
