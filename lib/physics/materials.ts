/** Materials: density and mass attenuation. Densities in g/cm³, mass attenuation in cm²/g as NIST gives it, results in 1/mm. */
import { show, sinoError } from "../core/errors.ts";
import { massAttenuationTable, tableFirstKeV } from "./attenuation-table.ts";
import type { Spectrum } from "./spectrum.ts";

export interface Material {
  readonly name: string;
  /** Nominal density, g/cm³. */
  readonly density: number;
  readonly energiesKeV: ArrayLike<number>;
  /** Total with coherent scattering, cm²/g, one per energy. */
  readonly massAttenuation: ArrayLike<number>;
}

export type MaterialName = keyof typeof massAttenuationTable;

const densities: Record<MaterialName, number> = {
  water: 1,
  bone: 1.92, // ICRU-44 cortical
  titanium: 4.5,
  iron: 7.8,
  copper: 8.9,
  gold: 19.3,
};

const shortNames: Record<string, MaterialName> = { h2o: "water", ti: "titanium", fe: "iron", cu: "copper", au: "gold" };

const tableEnergies = massAttenuationTable.water.map((_, i) => tableFirstKeV + i);

export const materialNames = Object.keys(massAttenuationTable) as MaterialName[];

/**
 * A material by name (or chemical symbol), or the given one.
 * Throws ERR_SINO_OUT_OF_RANGE, with the known names, for one nobody knows.
 */
export function materialOf(material: Material | MaterialName | (string & {})): Material {
  if (typeof material !== "string") return material;
  const key = material.toLowerCase();
  const name = shortNames[key] ?? (key as MaterialName);
  if (!Object.hasOwn(massAttenuationTable, name))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a material named ${materialNames.join(", ")} but received ${show(material)}. An object {name, density, energiesKeV, massAttenuation} is taken too.`,
    );
  return { name, density: densities[name], energiesKeV: tableEnergies, massAttenuation: massAttenuationTable[name] };
}

/**
 * µ/ρ of a material in cm²/g at an energy in keV, straight in log µ/ρ over log E between table entries.
 * Throws ERR_SINO_OUT_OF_RANGE outside the table.
 */
export function massAttenuation(material: Material, keV: number): number {
  const { energiesKeV: e, massAttenuation: mu, name } = material;
  const last = e.length - 1;
  if (!(keV >= e[0]! && keV <= e[last]!))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `The table of ${name} covers ${e[0]} to ${e[last]} keV but ${keV} keV was asked for.`,
      { details: { keV, first: e[0], last: e[last] } },
    );
  let i = 0;
  while (i < last - 1 && e[i + 1]! <= keV) i++;
  if (keV === e[i]! || last === 0) return mu[i]!;
  if (keV === e[i + 1]!) return mu[i + 1]!;
  const t = Math.log(keV / e[i]!) / Math.log(e[i + 1]! / e[i]!);
  return mu[i]! * (mu[i + 1]! / mu[i]!) ** t;
}

/** Linear attenuation in 1/mm at an energy in keV; nominal density unless given (g/cm³). */
export function linearAttenuation(material: Material, keV: number, density = material.density): number {
  return (density * massAttenuation(material, keV)) / 10;
}

/** (µ/ρ)(E)/(µ/ρ)(reference) for every energy of a spectrum: how a line integral at the reference energy scales. */
export function attenuationRatios(material: Material, spectrum: Spectrum, referenceKeV: number): Float64Array {
  const reference = massAttenuation(material, referenceKeV);
  return spectrum.energiesKeV.map((keV) => massAttenuation(material, keV) / reference);
}
