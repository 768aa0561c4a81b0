/**
 * Spectra of tungsten tubes by formula: bremsstrahlung and K lines that leave a thick target and pass filters.
 *
 * Continuum after D. M. Tucker, G. T. Barnes, D. P. Chakraborty, "Semiempirical model for generating tungsten target x-ray spectra",
 * Medical Physics 18, 211 (1991): an electron that has slowed down from the tube voltage E₀ to T makes photons of energy E at a
 * rate (T + mc²)/(E·T) · B(E/T) per path, B the polynomial below, and loses energy at the rate S(T):
 *
 *     N(E) ∝ ∫_E^E₀ (T + mc²)/(E·T) · B(E/T) / S(T) · exp(−µ_W(E)·x(T)/tan α) dT
 *
 * with S after Bethe (ICRU Report 37, mean excitation energy of tungsten 727 eV), x(T) the depth reached, half the path (electrons
 * do not run straight), and α the angle of the anode. Lines after the same paper: a line of share f_i has (E₀/E_K − 1)^1.648·f_i
 * photons, made at half the depth at which electrons fall below the K edge. Their scale is set so that at 120 kVp lines and continuum stand to
 * each other as in the measured `kVp120`. Filters take exp(−µ·d).
 */
import { show, sinoError } from "../core/errors.ts";
import { elementAttenuation } from "./elements.ts";
import { linearAttenuation, type Material, type MaterialName, materialOf } from "./materials.ts";
import { makeSpectrum, type Spectrum } from "./spectrum.ts";

export interface TungstenOptions {
  /** Tube voltage, 40 to 150. */
  kVp: number;
  /** Of the anode, degrees; default 10. */
  angleDeg?: number | undefined;
  /** Thickness in mm by name of material; default `{ aluminium: 6 }`, the inherent and added filtration of a CT tube. */
  filters?: Readonly<Record<string, number>> | undefined;
}

const electronKeV = 510.999;
const excitationKeV = 0.727;
const chargePerMass = 74 / 183.84;
const kEdgeKeV = 69.525;
/** Depth over path of the electrons. */
const detour = 0.5;
/** Photons of all K lines over those of the continuum's scale, set at 120 kVp. */
const lineScale = 0.0027;
/** Energies (rounded to whole keV when used) and shares of the K lines: Kα2, Kα1, Kβ1 with Kβ3, Kβ2. */
const kLines = [
  [57.98, 0.291],
  [59.32, 0.505],
  [67.2, 0.162],
  [69.1, 0.042],
] as const;

/** Collision stopping power of tungsten for electrons, keV·cm²/g (Bethe; ICRU Report 37). */
function stoppingPower(keV: number): number {
  const tau = keV / electronKeV;
  const beta2 = (tau * (tau + 2)) / (tau + 1) ** 2;
  const f = 1 - beta2 + (tau ** 2 / 8 - (2 * tau + 1) * Math.LN2) / (tau + 1) ** 2;
  const logarithm = Math.log((tau ** 2 * (tau + 2)) / (2 * (excitationKeV / electronKeV) ** 2));
  return ((153.536 * chargePerMass) / beta2) * (logarithm + f);
}

/** B(E/T): how bremsstrahlung falls towards the electron's energy. */
const brems = (r: number): number => 1 + r * (-5.049 + r * (10.847 + r * (-10.516 + r * 3.842)));

/** Depth (g/cm²) that electrons of `kVp` reach before they are slower than T, for T = kVp − i·step. */
function depths(kVp: number, step: number): Float64Array {
  const n = Math.floor((kVp - 1) / step) + 1;
  const x = new Float64Array(n);
  for (let i = 1; i < n; i++) x[i] = x[i - 1]! + (detour * step) / stoppingPower(kVp - (i - 0.5) * step);
  return x;
}

function requireIn(value: unknown, name: string, low: number, high: number): number {
  if (typeof value !== "number" || !(value >= low && value <= high))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected ${name} from ${low} to ${high} but received ${show(value)}.${name === "kVp" && typeof value === "number" && value >= 1e4 ? " Volt? Divide by 1000." : ""}`,
    );
  return value;
}

/**
 * The spectrum of a tungsten tube in bins of 1 keV from 15 keV to the voltage, as a photon-counting detector sees it without an object.
 * Throws ERR_SINO_OUT_OF_RANGE for a voltage, angle or thickness that is none, or a filter that nobody knows.
 *
 * @example
 * const hard = tungstenSpectrum({ kVp: 140, filters: { aluminium: 7, copper: 0.2 } });
 */
export function tungstenSpectrum({ kVp, angleDeg = 10, filters = { aluminium: 6 } }: TungstenOptions): Spectrum {
  requireIn(kVp, "kVp", 40, 150);
  requireIn(angleDeg, "angleDeg", 1, 89);
  const layers = Object.entries(filters).map(([name, mm]): [Material, number] => {
    return [materialOf(name as MaterialName), requireIn(mm, `the thickness of ${name} in mm`, 0, 1000)];
  });
  const step = 0.25;
  const x = depths(kVp, step);
  const perDepth = 1 / Math.tan((angleDeg * Math.PI) / 180);
  const leave = (keV: number, depth: number) => Math.exp(-elementAttenuation("W", keV) * depth * perDepth);

  const first = 15;
  const energies = Float64Array.from({ length: Math.floor(kVp) - first + 1 }, (_, i) => first + i);
  const photons = energies.map((keV) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const t = kVp - (i + 0.5) * step;
      if (t <= keV) break;
      sum += ((t + electronKeV) / t) * (brems(keV / t) / stoppingPower(t)) * leave(keV, x[i]!);
    }
    return (sum * step) / keV;
  });
  if (kVp > kEdgeKeV) {
    const overvoltage = (kVp / kEdgeKeV - 1) ** 1.648;
    const depth = x[Math.floor((kVp - kEdgeKeV) / step)]! / 2;
    for (const [keV, share] of kLines)
      photons[Math.round(keV) - first]! += lineScale * share * overvoltage * leave(keV, depth);
  }
  const filtered = photons.map(
    (n, i) =>
      n * Math.exp(-layers.reduce((sum, [material, mm]) => sum + linearAttenuation(material, energies[i]!) * mm, 0)),
  );
  const through = Object.entries(filters).map(([name, mm]) => `${mm} mm ${name}`);
  return makeSpectrum({
    name: `tungsten ${kVp} kVp, ${angleDeg}°${through.length > 0 ? `, ${through.join(", ")}` : ""}`,
    energiesKeV: energies,
    photons: filtered,
    source: "Tucker, Barnes, Chakraborty, Medical Physics 18, 211 (1991), with NIST attenuation",
  });
}
