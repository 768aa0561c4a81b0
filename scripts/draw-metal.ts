/**
 * Pairs to train segmentation of metal on: slices of .npy files of HU, cut out and enlarged at random, with metal of several shapes, sizes
 * and materials, through a simulated scan. Writes input.npy (HU with streaks, as FBP gives them; a part of them clipped as scanners
 * clip), target.npy (1 on metal) and cases.ndjson, a line per pair: what it is made of. `-n` is how many, of each file; `--highest`
 * what all others are clipped at, to be judged by 32000. The same seed makes the same pairs.
 *
 *     node --import tsx scripts/draw-metal.ts ct/train.npy others/validation.npy -o metal-pairs -n 560,60 --seed 1
 */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../lib/core/arrays.ts";
import { makeFolder, writeFileAtomic } from "../lib/core/files.ts";
import { NpyAppender, readNpy } from "../lib/data/npy.ts";
import { toHounsfield } from "../lib/image/hounsfield.ts";
import { clip } from "../lib/image/pixels.ts";
import { resample } from "../lib/image/resample.ts";
import { storeSlices } from "../lib/native/ops.ts";
import { parsePhysics } from "../lib/physics/physics.ts";
import { simulateScan } from "../lib/physics/scan.ts";
import { type FilterName, fbp } from "../lib/tomography/fbp.ts";
import { fanBeam, fullScan } from "../lib/tomography/geometry.ts";
import { numbers, Shuffle } from "../lib/training/samples.ts";

export const metals = ["titanium", "ti6al4v", "steel", "cocr", "copper", "amalgam", "gold"] as const;

/** Air, what most scanners clip at, and what a network need not tell apart. */
const [lowest, scanners, plenty] = [-1000, 3071, 7000];
/** Mask pixels per image pixel and axis. */
const fine = 2;

export interface MetalCase {
  /** "none": a slice without metal. */
  material: (typeof metals)[number] | "none";
  photons: number;
  pixelMm: number;
  parts: number;
  pixels: number;
  /** What the image is clipped at, HU. */
  clippedHu: number;
}

export interface DrawnMetal {
  /** HU, [size, size]. */
  hu: Volume;
  /** 1 on metal. */
  mask: Volume<Uint8Array<ArrayBuffer>>;
  said: MetalCase;
}

class Dice {
  readonly next: () => number;
  constructor(seed: number, index: number) {
    this.next = numbers(seed, index);
  }
  between = (low: number, high: number): number => low + (high - low) * this.next();
  evenly = (low: number, high: number): number => low * (high / low) ** this.next();
  chance = (p: number): boolean => this.next() < p;
  one = <T>(list: readonly T[]): T => list[Math.floor(this.next() * list.length)]!;
}

type Inside = (u: number, v: number) => boolean;

/** A part of unit extent: round, wavy, long, hollow or angular. */
function shapeOf(dice: Dice): Inside {
  const kind = dice.one(["ellipse", "ellipse", "wavy", "rod", "rod", "ring", "plate", "polygon"]);
  if (kind === "ellipse") {
    const b = dice.between(0.5, 1);
    return (u, v) => u * u + (v / b) ** 2 < 1;
  }
  if (kind === "rod") {
    const half = dice.between(0.08, 0.35);
    return (u, v) => Math.hypot(Math.max(0, Math.abs(u) - 1 + half), v) < half;
  }
  if (kind === "ring") {
    const [inner, b] = [dice.between(0.5, 0.8), dice.between(0.7, 1)];
    return (u, v) => {
      const rho = Math.hypot(u, v / b);
      return rho < 1 && rho > inner;
    };
  }
  if (kind === "plate") {
    const [bend, half] = [dice.between(0, 0.5), dice.between(0.08, 0.2)];
    return (u, v) => Math.abs(u) < 1 && Math.abs(v - bend * (u * u - 0.5)) < half;
  }
  const count = dice.one([3, 4, 5, 6, 8]);
  const corners = Array.from({ length: count }, () => dice.between(0.6, 1));
  const waves = [2, 3, 5].map((k) => [k, dice.between(0, 0.3), dice.between(0, 6.3)] as const);
  return (u, v) => {
    const phi = Math.atan2(v, u);
    const rho = Math.hypot(u, v);
    if (kind === "wavy")
      return rho < 0.8 + waves.reduce((sum, [k, size, at]) => sum + (size / k) * Math.cos(k * phi + at), 0);
    const at = ((phi / (2 * Math.PI) + 1) % 1) * count;
    const i = Math.floor(at);
    return rho < corners[i % count]! * (1 - (at - i)) + corners[(i + 1) % count]! * (at - i);
  };
}

/** Sets the pixels of a part around (row, column) of a square of `size` pixels so that about `area` of them are set. */
function paint(
  data: { [i: number]: number },
  size: number,
  at: readonly [number, number],
  area: number,
  inside: Inside,
  turn: number,
  value: number,
) {
  let share = 0;
  for (let i = 0; i < 400; i++) share += inside(((i % 20) - 9.5) / 8, (Math.floor(i / 20) - 9.5) / 8) ? 1 : 0;
  const reach = Math.sqrt(area / Math.max(share / 64, 0.05));
  const [cos, sin] = [Math.cos(turn) / reach, Math.sin(turn) / reach];
  const [row, column] = at;
  const range = (centre: number) => [
    Math.max(0, Math.floor(centre - 1.5 * reach)),
    Math.min(size - 1, Math.ceil(centre + 1.5 * reach)),
  ];
  const [r0, r1] = range(row) as [number, number];
  const [c0, c1] = range(column) as [number, number];
  for (let r = r0; r <= r1; r++)
    for (let c = c0; c <= c1; c++)
      if (inside((c - column) * cos + (r - row) * sin, (r - row) * cos - (c - column) * sin))
        data[r * size + c] = value;
}

/** A pixel of the body, or of its bone where there is some. */
function placeIn(hu: Float32Array, size: number, dice: Dice): [number, number] {
  const least = dice.chance(0.5) ? 250 : -200;
  let at: [number, number] = [size >> 1, size >> 1];
  for (let i = 0; i < 300; i++) {
    at = [Math.floor(dice.between(0.06, 0.94) * size), Math.floor(dice.between(0.06, 0.94) * size)];
    const here = hu[at[0] * size + at[1]]!;
    if (here > least || (i > 150 && here > -200)) break;
  }
  return at;
}

/** Masks on the fine grid and on that of the image, where at least half of a pixel is metal. */
function drawParts(
  hu: Float32Array,
  size: number,
  dice: Dice,
): { finer: Uint8Array; mask: Uint8Array<ArrayBuffer>; parts: number } {
  const side = size * fine;
  const finer = new Uint8Array(side * side);
  const area = dice.evenly(5, 2000);
  const parts = dice.chance(0.4) ? 1 : dice.one([2, 2, 3, 4, 6]);
  const own = shapeOf(dice);
  const isAlike = dice.chance(0.5);
  const first = placeIn(hu, size, dice);
  for (let i = 0; i < parts; i++) {
    const isNear = i > 0 && dice.chance(0.5);
    const [row, column] = i === 0 ? first : placeIn(hu, size, dice);
    const spread = () => dice.between(-0.2, 0.2) * size;
    const at = isNear ? ([first[0] + spread(), first[1] + spread()] as const) : ([row, column] as const);
    const wanted = Math.max(5, (area / parts) * dice.between(0.6, 1.4)) * fine ** 2;
    const place = [at[0] * fine, at[1] * fine] as const;
    paint(finer, side, place, wanted, isAlike ? own : shapeOf(dice), dice.between(0, 6.3), 1);
  }
  const mask = new Uint8Array(size * size);
  for (let r = 0; r < size; r++)
    for (let c = 0; c < size; c++) {
      let covered = 0;
      for (let i = 0; i < fine * fine; i++)
        covered += finer[(r * fine + Math.floor(i / fine)) * side + c * fine + (i % fine)]!;
      mask[r * size + c] = 2 * covered >= fine * fine ? 1 : 0;
    }
  return { finer, mask, parts };
}

/** Enamel and other dense things that are no metal. */
function addDense(hu: Float32Array, size: number, dice: Dice): void {
  if (!dice.chance(0.3)) return;
  const [row, column] = placeIn(hu, size, dice);
  const count = 1 + Math.floor(dice.between(0, 8));
  for (let i = 0; i < count; i++) {
    const spread = () => dice.between(-0.1, 0.1) * size;
    const area = dice.evenly(8, 150);
    paint(
      hu,
      size,
      [row + spread(), column + spread()],
      area,
      shapeOf(dice),
      dice.between(0, 6.3),
      dice.between(1300, 2600),
    );
  }
}

/** Pair `index` of a seed, out of a slice [n, n] of HU without metal; images that no scanner clips are clipped at `highest` HU. */
export async function drawMetal(
  slice: Volume,
  size: number,
  seed: number,
  index: number,
  highest = plenty,
): Promise<DrawnMetal> {
  const dice = new Dice(seed, index);
  const whole = slice.shape[0]!;
  const cut = Math.round(whole * dice.between(0.45, 1));
  const from = () => Math.floor(dice.next() * (whole - cut + 1));
  const part = { data: slice.data, shape: [cut, cut], stride: [whole, 1], offset: from() * whole + from() };
  const clean = await resample(part, { shape: [size, size], method: cut > size ? "area" : "linear" });
  addDense(clean.data, size, dice);
  const pixelMm = (dice.between(0.65, 1) * cut) / size;
  const isPlain = dice.chance(0.1);
  const { finer, mask, parts } = drawParts(clean.data, size, dice);
  const material = dice.one(metals);
  const photons = dice.evenly(1e5, 2e7);
  const kind = dice.next();
  const clippedHu = kind < 0.5 ? scanners : kind < 0.6 ? dice.between(2000, scanners) : highest;
  const physics = parsePhysics({
    spectrum: dice.one(["120kVp", "120kVp", "100kVp", "140kVp"]),
    metal: { material, edge: "none", tissue: "kept" },
    crosstalk: dice.between(0, 0.06),
    scatter: { photons: photons * dice.evenly(1e-6, 3e-4) },
    photons,
  });
  const reach = (Math.SQRT1_2 * size + 2) * pixelMm;
  const bin = dice.between(0.9, 1.25) * pixelMm;
  const sod = 2.2 * reach;
  const half = (reach * sod) / Math.sqrt(sod * sod - reach * reach);
  const geometry = fanBeam({
    detector: "flat",
    sod,
    sdd: sod,
    bins: 2 * Math.ceil(half / bin) + 1,
    binMm: bin,
    angles: fullScan(Math.round(dice.between(300, 480)), { start: dice.between(0, 360) }),
    image: { shape: [size, size], pixelMm },
  });
  const metalMask = volume(finer, [size * fine, size * fine]);
  const scan = await simulateScan(clean, {
    geometry,
    physics,
    seed,
    firstSlice: index,
    ...(!isPlain && { metalMask }),
  });
  const sharp = dice.next();
  const filter: FilterName = sharp < 0.4 ? "ram-lak" : sharp < 0.6 ? "shepp-logan" : "hann";
  const cutoff = dice.between(0.7, 1);
  const hu = await toHounsfield(await fbp(scan.sinogram, geometry, { filter, cutoff }), physics.muWater);
  if (isPlain) mask.fill(0);
  return {
    hu: await clip(hu, lowest, clippedHu),
    mask: volume(mask, [size, size]),
    said: {
      material: isPlain ? "none" : material,
      photons: Math.round(photons),
      pixelMm: Number(pixelMm.toFixed(3)),
      parts: isPlain ? 0 : parts,
      pixels: mask.reduce((sum, v) => sum + v, 0),
      clippedHu: Math.round(clippedHu),
    },
  };
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", short: "o", default: "metal-pairs" },
      count: { type: "string", short: "n", default: "600" },
      size: { type: "string", default: "288" },
      seed: { type: "string", default: "1" },
      highest: { type: "string", default: String(plenty) },
    },
  });
  const [size, seed] = [Number(values.size), Number(values.seed)];
  const counts = values.count.split(",").map(Number);
  await makeFolder(values.output);
  const input = await NpyAppender.open(join(values.output, "input.npy"), "int16", [size, size]);
  const target = await NpyAppender.open(join(values.output, "target.npy"), "uint8", [size, size]);
  const cases: string[] = [];
  for (const [k, path] of positionals.entries()) {
    const { array } = await readNpy(path);
    const [n, side] = array.shape as [number, number];
    const area = side * side;
    const order = new Shuffle(n, seed);
    for (let i = 0; i < counts[Math.min(k, counts.length - 1)]!; i++) {
      const at = order.at(i) * area;
      const slice = volume(Float32Array.from(array.data.subarray(at, at + area)), [side, side]);
      const { hu, mask, said } = await drawMetal(slice, size, seed, cases.length, Number(values.highest));
      const whole = { signed: true, bitsStored: 16 } as const;
      await input.append((await storeSlices(hu.data, Float64Array.of(1), Float64Array.of(0), whole)).stored);
      await target.append(mask.data);
      cases.push(JSON.stringify(said));
    }
  }
  await input.close();
  await target.close();
  await writeFileAtomic(join(values.output, "cases.ndjson"), `${cases.join("\n")}\n`);
  console.log(`${values.output}: ${cases.length} pairs`);
}
