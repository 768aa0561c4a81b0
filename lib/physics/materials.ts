/** Materials: density and mass attenuation. Densities in g/cm³, mass attenuation in cm²/g as NIST gives it, results in 1/mm. */

import { nearest } from "../batch/nearest.ts";
import { show, sinoError } from "../core/errors.ts";
import { massAttenuationTable, tableFirstKeV, tableLastKeV } from "./attenuation-table.ts";
import type { Element } from "./element-table.ts";
import { edgesOf, elementAttenuation } from "./elements.ts";
import { type MaterialEntry, type MaterialName, materialLibrary, shortNames } from "./material-library.ts";
import type { Spectrum } from "./spectrum.ts";

export type { MaterialName } from "./material-library.ts";

export interface Material {
  readonly name: string;
  /** Nominal density, g/cm³. */
  readonly density: number;
  /** Rising; twice the same at an absorption edge. */
  readonly energiesKeV: ArrayLike<number>;
  /** Total with coherent scattering, cm²/g, one per energy. */
  readonly massAttenuation: ArrayLike<number>;
}

/** Energies that materials by name cover, keV. */
export const firstKeV = 15;
export const lastKeV = 150;

export const materialNames = Object.keys(materialLibrary) as MaterialName[];

/** µ/ρ of a mixture: the mean of its elements' by weight. */
function mixture(parts: MaterialEntry["parts"], keV: number, below = false): number {
  const elements = Object.entries(parts) as [Element, number][];
  const total = elements.reduce((sum, [, weight]) => sum + weight, 0);
  return elements.reduce((sum, [element, w]) => sum + (w / total) * elementAttenuation(element, keV, below), 0);
}

/**
 * Every whole keV, and both sides of every edge. Where XCOM's own table of the material is there (20 to 120 keV), its values; outside
 * it the mixture's, scaled to meet them.
 */
function tabulate({ parts }: MaterialEntry, table: readonly number[] | undefined): [number, number][] {
  const value = (keV: number, below = false) => {
    if (!table) return mixture(parts, keV, below);
    const found = table[keV - tableFirstKeV];
    if (found !== undefined) return found;
    const end = keV < tableFirstKeV ? tableFirstKeV : keV > tableLastKeV ? tableLastKeV : undefined;
    return mixture(parts, keV, below) * (end === undefined ? 1 : table[end - tableFirstKeV]! / mixture(parts, end));
  };
  const points = Array.from({ length: lastKeV - firstKeV + 1 }, (_, i): [number, number] => {
    return [firstKeV + i, value(firstKeV + i)];
  });
  for (const edge of Object.keys(parts).flatMap((element) => edgesOf(element as Element)))
    if (edge > firstKeV) points.push([edge, value(edge, true)], [edge, value(edge)]);
  return points.sort(([a], [b]) => a - b); // stable: below the edge stays before above
}

const made = new Map<MaterialName, Material>();

function libraryMaterial(name: MaterialName): Material {
  const known = made.get(name);
  if (known) return known;
  const entry = materialLibrary[name];
  const points = tabulate(entry, (massAttenuationTable as Record<string, readonly number[]>)[name]);
  const material = {
    name,
    density: entry.density,
    energiesKeV: points.map(([keV]) => keV),
    massAttenuation: points.map(([, mu]) => mu),
  };
  made.set(name, material);
  return material;
}

/** "Ti-6Al-4V", "ti6al4v" and "TI6AL4V" are one name. */
const plain = (name: string) => name.toLowerCase().replace(/[\s_-]/g, "");

/**
 * A material by name (or chemical symbol), or the given one.
 * Throws ERR_SINO_OUT_OF_RANGE, with the nearest and all known names, for one nobody knows; and for a table that is empty, not
 * rising, or not positive.
 */
export function materialOf(material: Material | MaterialName | (string & {})): Material {
  if (typeof material !== "string") return checked(material);
  const key = plain(material);
  const name = shortNames[key] ?? materialNames.find((known) => plain(known) === key);
  if (name) return libraryMaterial(name);
  const near = nearest(key, [...materialNames, ...Object.keys(shortNames)]);
  throw sinoError(
    "ERR_SINO_OUT_OF_RANGE",
    `Expected a material named ${materialNames.join(", ")} but received ${show(material)}.${near ? ` Did you mean ${near}?` : ""} An object {name, density, energiesKeV, massAttenuation} is taken too.`,
  );
}

function checked(material: Material): Material {
  const { name, density, energiesKeV: e, massAttenuation: mu } = material ?? {};
  if (typeof name !== "string" || !e?.length || e.length !== mu?.length)
    throw sinoError(
      "ERR_SINO_ARG_TYPE",
      `Expected a material by name, or as {name, density, energiesKeV, massAttenuation} with one value per energy, but received ${show(material)}.`,
    );
  if (!(density > 0 && Number.isFinite(density)))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a positive density of ${name} in g/cm³ but received ${show(density)}.`,
    );
  for (let i = 0; i < e.length; i++)
    if (!(mu[i]! > 0) || !(e[i]! > 0) || (i > 0 && e[i]! < e[i - 1]!))
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `Expected rising energies and positive mass attenuation of ${name}, but entry ${i} is ${e[i]} keV, ${mu[i]} cm²/g.`,
      );
  return material;
}

/**
 * µ/ρ of a material in cm²/g at an energy in keV, straight in log µ/ρ over log E between table entries; at an edge the value above it.
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
