/**
 * A simulated diffusion scan whose truth is known: a head of fluid, grey and white matter with turning, crossing and fanning fibres,
 * unlike any brain but with edges, gradients and anisotropy as a denoiser meets them; Rician noise.
 */
import { type Volume, volume } from "../../lib/core/arrays.ts";
import type { Direction } from "../../lib/dwi/index.ts";

export interface DwiScan {
  clean: Volume;
  noisy: Volume;
  /** 1 inside the head. */
  mask: Volume<Uint8Array<ArrayBuffer>>;
  bvals: number[];
  directions: Direction[];
  /** Standard deviation of the noise in each part of the complex signal. */
  sigma: number;
}

export interface DwiScanOptions {
  size?: readonly [slices: number, rows: number, columns: number];
  directions?: number;
  b?: number;
  /** Unweighted signal of white matter over sigma. */
  snr: number;
  seed?: number;
}

/** Directions spread over the half sphere by a spiral. */
export function spiral(count: number): Direction[] {
  return Array.from({ length: count }, (_, i) => {
    const z = 1 - (i + 0.5) / count;
    const turn = i * Math.PI * (3 - Math.sqrt(5));
    const r = Math.sqrt(1 - z * z);
    return [r * Math.cos(turn), r * Math.sin(turn), z];
  });
}

interface Tissue {
  s0: number;
  /** Of its compartments: share, mean diffusivity and anisotropy, µm²/ms, and the fibre. */
  parts: readonly { share: number; across: number; along: number; fibre: Direction }[];
}

const none: Direction = [0, 0, 1];

/** Tissue at x, y, z, each from −1 to 1. */
function tissueAt(x: number, y: number, z: number): Tissue | undefined {
  const wobble = 0.06 * Math.sin(5 * Math.atan2(y, x)) + 0.04 * Math.sin(9 * Math.atan2(y, x) + 4 * z);
  const radius = Math.hypot(x / 0.82, y / 0.95, z / 1.3);
  if (radius > 0.95) return undefined;
  const isotropic = (s0: number, d: number): Tissue => ({
    s0,
    parts: [{ share: 1, across: d, along: d, fibre: none }],
  });
  const ventricle = Math.hypot((Math.abs(x) - 0.16) / 0.1, (y - 0.05) / 0.34, z / 0.8);
  if (radius > 0.88 + wobble / 2 || ventricle < 1) return isotropic(1800, 2.9);
  const folds = 0.7 + wobble + 0.05 * Math.sin(14 * x + 6 * z) * Math.cos(11 * y);
  const nuclei = Math.hypot((Math.abs(x) - 0.33) / 0.12, (y + 0.1) / 0.2, z / 0.6) < 1;
  if (radius > folds || nuclei) return isotropic(1150, 0.85);
  // white matter: a bundle across the middle, one that fans upwards, one along
  const across: Direction = [Math.cos(0.8 * x), Math.sin(0.8 * x) * Math.sign(y || 1), 0];
  const up = unit([0.5 * x, 0.3 * y, 1]);
  const along = unit([-y, x, 0.2]);
  const callosum = Math.exp(-((y / 0.25) ** 2) - (z / 0.7) ** 2);
  const corona = Math.exp(-(((Math.abs(x) - 0.4) / 0.22) ** 2));
  const total = callosum + corona + 0.35;
  const fibre = { across: 0.35, along: 1.7 };
  return {
    s0: 900,
    parts: [
      { share: callosum / total, ...fibre, fibre: unit(across) },
      { share: corona / total, ...fibre, fibre: up },
      { share: 0.35 / total, ...fibre, fibre: along },
    ],
  };
}

function unit([x, y, z]: Direction): Direction {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

function signalOf({ s0, parts }: Tissue, b: number, [gx, gy, gz]: Direction): number {
  let sum = 0;
  for (const { share, across, along, fibre } of parts) {
    const cosine = gx * fibre[0] + gy * fibre[1] + gz * fibre[2];
    sum += share * Math.exp((-b / 1000) * (across + (along - across) * cosine * cosine));
  }
  return s0 * sum;
}

/** Standard normal numbers (mulberry32, Box and Muller). */
function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** One unweighted volume, then one per direction; each voxel is the mean of 2 × 2 × 2 points. */
export function simulateDwi(options: DwiScanOptions): DwiScan {
  const [slices, rows, columns] = options.size ?? [20, 64, 64];
  const { directions: count = 16, b = 1000, snr, seed = 1 } = options;
  const directions: Direction[] = [[0, 0, 0], ...spiral(count)];
  const bvals = directions.map((_, i) => (i === 0 ? 0 : b));
  const voxels = slices * rows * columns;
  const clean = new Float32Array(directions.length * voxels);
  const mask = new Uint8Array(voxels);
  for (let v = 0; v < voxels; v++) {
    const [c, r, s] = [v % columns, Math.floor(v / columns) % rows, Math.floor(v / columns / rows)];
    for (let part = 0; part < 8; part++) {
      const at = (i: number, n: number, bit: number) => (2 * (i + 0.25 + 0.5 * ((part >> bit) & 1))) / n - 1;
      const tissue = tissueAt(at(c, columns, 0), at(r, rows, 1), 0.8 * at(s, slices, 2));
      if (!tissue) continue;
      mask[v] = 1;
      for (const [j, direction] of directions.entries())
        clean[j * voxels + v]! += signalOf(tissue, bvals[j]!, direction) / 8;
    }
  }
  const sigma = 900 / snr;
  const normal = normals(seed);
  const noisy = clean.map((signal) => Math.hypot(signal + sigma * normal(), sigma * normal()));
  const shape = [directions.length, slices, rows, columns];
  return {
    clean: volume(clean, shape),
    noisy: volume(noisy, shape),
    mask: volume(mask, [slices, rows, columns]),
    bvals,
    directions,
    sigma,
  };
}

/** PSNR over the weighted volumes inside the mask, dB, peak = the largest clean weighted value there. */
export function psnrInside({ clean, mask, bvals }: DwiScan, image: { data: Float32Array }): number {
  const voxels = mask.data.length;
  let [sum, count, peak] = [0, 0, 0];
  for (const [j, b] of bvals.entries()) {
    if (b === 0) continue;
    for (let v = 0; v < voxels; v++) {
      if (!mask.data[v]) continue;
      const truth = clean.data[j * voxels + v]!;
      sum += (image.data[j * voxels + v]! - truth) ** 2;
      peak = Math.max(peak, truth);
      count++;
    }
  }
  return 10 * Math.log10((peak * peak * count) / sum);
}
