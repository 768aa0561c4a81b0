/**
 * The scanner of the mismatch suite: bones, soft tissue and metal in a polychromatic beam, intensities averaged over the rays of a bin,
 * crosstalk, scatter, counting, electronic noise, logarithm, water correction.
 */
import {
  type AttenuationSource,
  attenuation,
  type MetalName,
  type Spectrum,
  spectrumOf,
  type Tube,
} from "./spectrum.ts";

export interface Level {
  tube: Tube;
  focalSpotMm: number;
  /** Share of the step between views during which a view is taken. */
  viewShare: number;
  /** Of a bin's light, to its lower and its upper neighbour. */
  crosstalk: readonly [number, number];
  /** Of the unattenuated beam: the same in every bin. */
  scatterOfAir: number;
  /** Of p·exp(−p), what scatters once and leaves, spread over scatterBins. */
  scatterOfObject: number;
  scatterBins: number;
  /** Standard deviation, in photons. */
  electronicNoise: number;
  /** Relative, of gains that calibration leaves: bin by bin, the same in all views. */
  gainError: number;
  /** Relative, of the metal's density: one number per case. */
  densityError: number;
}

/** "study": other spectrum, crosstalk, a little scatter. "harder": a scintillator, other tables, everything a detector does wrong. */
export const levels = {
  study: {
    tube: { kvp: 120, filterMm: 7, integrates: false, source: "elam" },
    focalSpotMm: 0.3,
    viewShare: 0,
    crosstalk: [0.025, 0.025],
    scatterOfAir: 1e-4,
    scatterOfObject: 0,
    scatterBins: 0,
    electronicNoise: 0,
    gainError: 0,
    densityError: 0,
  },
  harder: {
    tube: { kvp: 120, filterMm: 4, integrates: true, source: "chantler" },
    focalSpotMm: 0.6,
    viewShare: 1,
    crosstalk: [0.03, 0.045],
    scatterOfAir: 1e-4,
    scatterOfObject: 0.001,
    scatterBins: 60,
    electronicNoise: 4,
    gainError: 0.0005,
    densityError: 0.05,
  },
} as const satisfies Record<string, Level>;
export type LevelName = keyof typeof levels;

const referenceKeV = 70;
/** 1/mm at the reference, of water: what HU refer to. */
export const waterPerMm = 0.0192;

/** Cubic in p, p², p³ without a constant that makes water linear: least squares over 0 to 500 mm. */
export function waterCubic({ keV, share }: Spectrum, source: AttenuationSource): [number, number, number] {
  const mu = keV.map((e) => attenuation(source, "water", e) / attenuation(source, "water", referenceKeV));
  const normal = Array.from({ length: 3 }, () => [0, 0, 0, 0]);
  for (let mm = 1; mm <= 500; mm++) {
    const truth = mm * waterPerMm;
    const p = -Math.log(share.reduce((sum, s, i) => sum + s * Math.exp(-truth * mu[i]!), 0));
    const powers = [p, p * p, p * p * p];
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) normal[i]![j]! += powers[i]! * powers[j]!;
      normal[i]![3]! += powers[i]! * truth;
    }
  }
  return solve(normal) as [number, number, number];
}

function solve(rows: number[][]): number[] {
  for (let i = 0; i < rows.length; i++)
    for (let j = 0; j < rows.length; j++) {
      if (i === j) continue;
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let k = i; k <= rows.length; k++) rows[j]![k]! -= factor * rows[i]![k]!;
    }
  return rows.map((row, i) => row[rows.length]! / row[i]!);
}

/** Normal numbers and Poisson counts from a uniform source. */
function noise(random: () => number) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const count = (mean: number): number => {
    if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
    const limit = Math.exp(-mean);
    let n = 0;
    for (let product = random(); product > limit; product *= random()) n++;
    return n;
  };
  return { normal, count };
}

export interface Paths {
  views: number;
  bins: number;
  perBin: number;
  /** Line integrals at the reference energy of soft tissue and bone, [view, bin, ray, 2]. */
  tissue: Float32Array;
  /** mm inside each metal, [view, bin, ray]. */
  metals: readonly Float32Array[];
}

export interface ScanOptions {
  level: LevelName;
  /** As in the paths; densities in g/cm³. */
  metals: readonly { name: MetalName; density: number }[];
  photons: number;
  random: () => number;
}

/** The sinogram [view, bin] as the scanner would hand it out: line integrals, corrected for water. */
export function scan(paths: Paths, options: ScanOptions): Float32Array<ArrayBuffer> {
  const { views, bins } = paths;
  const level: Level = levels[options.level];
  const spectrum = spectrumOf(level.tube);
  const light = transmitted(paths, spectrum, level.tube.source, options);
  const detected = blurred(light, views, bins, level);
  const { normal, count } = noise(options.random);
  const gains = Float64Array.from({ length: bins }, () => 1 + level.gainError * normal());
  const [a, b, c] = waterCubic(spectrum, level.tube.source);
  return Float32Array.from(detected, (share, i) => {
    const counted = count(options.photons * share) + level.electronicNoise * normal();
    const p = -Math.log((Math.max(1, counted) * gains[i % bins]!) / options.photons);
    return a * p + b * p * p + c * p * p * p;
  });
}

/** Share of the beam that arrives in every bin. */
function transmitted(paths: Paths, spectrum: Spectrum, source: AttenuationSource, { metals }: ScanOptions) {
  const { views, bins, perBin } = paths;
  const { keV, share } = spectrum;
  const ratio = (name: "tissue" | "bone") =>
    keV.map((e) => attenuation(source, name, e) / attenuation(source, name, referenceKeV));
  const [soft, bone] = [ratio("tissue"), ratio("bone")];
  const perMm = metals.map(({ name, density }) => keV.map((e) => (attenuation(source, name, e) * density) / 10));
  const result = new Float64Array(views * bins);
  for (let i = 0; i < result.length; i++) {
    let sum = 0;
    for (let ray = i * perBin; ray < (i + 1) * perBin; ray++) {
      const [s, b] = [paths.tissue[2 * ray]!, paths.tissue[2 * ray + 1]!];
      if (s === 0 && b === 0 && paths.metals.every((lengths) => lengths[ray] === 0)) {
        sum += 1;
        continue;
      }
      for (let e = 0; e < keV.length; e++) {
        let p = -s * soft[e]! - b * bone[e]!;
        for (let m = 0; m < perMm.length; m++) p -= paths.metals[m]![ray]! * perMm[m]![e]!;
        sum += share[e]! * Math.exp(p);
      }
    }
    result[i] = sum / perBin;
  }
  return result;
}

function blurred(light: Float64Array, views: number, bins: number, level: Level): Float64Array {
  const [down, up] = level.crosstalk;
  const result = new Float64Array(light.length);
  for (let view = 0; view < views; view++) {
    const row = light.subarray(view * bins, (view + 1) * bins);
    const once = level.scatterOfObject > 0 ? row.map((share) => -share * Math.log(share)) : undefined;
    const scatter = once && smoothed(once, level.scatterBins);
    for (let k = 0; k < bins; k++) {
      const [before, here, after] = [row[Math.max(0, k - 1)]!, row[k]!, row[Math.min(bins - 1, k + 1)]!];
      const shared = (1 - down - up) * here + up * before + down * after;
      result[view * bins + k] = shared + level.scatterOfAir + level.scatterOfObject * (scatter?.[k] ?? 0);
    }
  }
  return result;
}

/** Three running means: nearly a Gaussian of this standard deviation. */
function smoothed(row: Float64Array, sigma: number): Float64Array {
  const reach = Math.round(sigma);
  let values = row;
  for (let pass = 0; pass < 3; pass++) {
    const at = (k: number) => values[Math.min(values.length - 1, Math.max(0, k))]!;
    let sum = 0;
    for (let k = -reach; k <= reach; k++) sum += at(k);
    const next = new Float64Array(values.length);
    for (let k = 0; k < values.length; k++) {
      next[k] = sum / (2 * reach + 1);
      sum += at(k + reach + 1) - at(k - reach);
    }
    values = next;
  }
  return values;
}
