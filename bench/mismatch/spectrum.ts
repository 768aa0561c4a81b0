/**
 * Tube spectra and attenuation of the mismatch suite: Kramers' law behind tungsten of the anode and aluminium, with tungsten's K lines,
 * and tables of other origin than the product's (attenuation.py).
 */
import tables from "./attenuation.json" with { type: "json" };

export type AttenuationSource = "elam" | "chantler";
export type MaterialName = keyof typeof tables.elam;

/** g/cm³ */
export const densities = {
  titanium: 4.51,
  ti6al4v: 4.43,
  iron: 7.87,
  steel: 7.99,
  cocr: 8.3,
  copper: 8.96,
  amalgam: 11,
} as const satisfies Partial<Record<MaterialName, number>>;
export type MetalName = keyof typeof densities;

/** cm²/g */
export const attenuation = (source: AttenuationSource, material: MaterialName, keV: number): number =>
  tables[source][material][Math.round(keV) - tables.firstKeV]!;

/** keV and share of tungsten's K lines. */
const kLines = [
  [59, 0.5],
  [58, 0.29],
  [67, 0.165],
  [69, 0.045],
] as const;
const kEdge = 69.5;

export interface Tube {
  kvp: number;
  /** mm of aluminium */
  filterMm: number;
  /** Signal in proportion to energy, as from a scintillator; else every photon counts one. */
  integrates: boolean;
  source: AttenuationSource;
}

export interface Spectrum {
  keV: Float64Array;
  /** Shares of the signal, their sum 1. */
  share: Float64Array;
}

const step = 3;

/** In bands of 3 keV, from 20 keV on. */
export function spectrumOf({ kvp, filterMm, integrates, source }: Tube): Spectrum {
  const keV: number[] = [];
  for (let e = 20; e < kvp; e++) keV.push(e);
  const raw = keV.map((e) => Math.max(0, kvp / e - 1));
  const total = raw.reduce((sum, n) => sum + n, 0);
  const lines = kvp > kEdge ? 0.06 * (kvp / kEdge - 1) ** 1.63 * total : 0;
  for (const [e, share] of kLines) if (e < kvp) raw[e - 20]! += lines * share;
  const filtered = raw.map((n, i) => {
    const e = keV[i]!;
    const anode = attenuation(source, "tungsten", e) * 19.3 * 0.0008;
    const filter = attenuation(source, "aluminium", e) * 2.7 * (filterMm / 10);
    return n * Math.exp(-anode - filter) * (integrates ? e : 1);
  });
  const bands = Math.ceil(keV.length / step);
  const share = new Float64Array(bands);
  const mean = new Float64Array(bands);
  for (const [i, n] of filtered.entries()) {
    share[Math.floor(i / step)]! += n;
    mean[Math.floor(i / step)]! += n * keV[i]!;
  }
  const sum = share.reduce((a, b) => a + b, 0);
  return { keV: mean.map((m, i) => m / Math.max(share[i]!, 1e-300)), share: share.map((n) => n / sum) };
}

export const meanEnergy = ({ keV, share }: Spectrum): number => share.reduce((sum, s, i) => sum + s * keV[i]!, 0);
