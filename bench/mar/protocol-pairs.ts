/**
 * The pairs of the metal-artefact benchmark: clean CT slices of five patients, and metal of the ten sizes and part counts of the
 * field's test set, made of the XCIST challenge's shapes and put where there is tissue. Seeded; the same on every run.
 */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { listSeries, readSeries } from "../../lib/data/dicom/index.ts";
import { readMatArray } from "../../lib/data/mat5.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { clip } from "../../lib/image/pixels.ts";
import { resample } from "../../lib/image/resample.ts";
import { realData } from "../../test/support/data.ts";
import { randomSource } from "../../test/support/random.ts";
import { benchCache, regionSlices, trainFolder } from "../mismatch/slices.ts";
import { isShapeOf, type Purpose, regions } from "../mismatch/split.ts";

export const imageSize = 416;

/** Pixels and connected parts of the ten metals of the field's test set, by mask index. */
const fieldMetals = [
  [254, 2],
  [890, 2],
  [451, 2],
  [53, 3],
  [112, 1],
  [35, 3],
  [881, 2],
  [2061, 3],
  [118, 2],
  [124, 3],
] as const;

/** The field groups mask indices {1,7}, {2,6}, {0,9}, {8,4}, {3,5} from large to small. */
export const sizeGroups = ["large", "2", "3", "4", "small"] as const;
const groupOfMask = [2, 0, 1, 4, 3, 4, 1, 0, 3, 2];

export interface Pairs {
  /** HU, [pair, 416, 416]. */
  images: Volume;
  masks: Volume<Uint8Array<ArrayBuffer>>;
  group: number[];
  patient: string[];
}

/**
 * Slices taken per patient for every ten pairs. "trunk" is chest to thigh with smooth kernels, what the field's test set shows;
 * "all" adds heads, arms and a sharp, noisy lung kernel, where even metal-free scans reconstruct to 35–37 dB only.
 */
const sets = {
  trunk: { "acrin-flt-breast": 5, "lung-fused-ct": 3, "c4kc-kits": 2 },
  all: { "acrin-flt-breast": 4, "cmb-crc": 2, "lung-fused-ct": 2, "c4kc-kits": 1, "ge-head-tilted": 1 },
} as const;
/** Smooth kernels again, of slices and shapes kept apart: see bench/mismatch/split.ts. Patients and their slices for every ten pairs. */
const purposes = {
  tuning: { "acrin-flt-breast": 6, "lung-fused-ct": 4 },
  evaluation: { "acrin-flt-breast": 4, "c4kc-kits": 3, "lung-fused-ct": 2, "cornerstone-chest": 1 },
} as const satisfies Record<Purpose, Record<string, number>>;
type TrainSet = keyof typeof sets;
export type PairSet = TrainSet | Purpose;
export const pairSets: readonly PairSet[] = ["tuning", "evaluation", "trunk", "all"];
const isPurpose = (set: PairSet): set is Purpose => Object.hasOwn(purposes, set);
const patients = [...Object.keys(sets.all), "cornerstone-chest"];

/** Of the whole-body patient: files with a port or dental fillings; the trunk begins below the shoulders. */
const hasMetal = (file: number) => (file >= 52 && file <= 58) || (file >= 82 && file <= 88);
const firstTrunkFile = 89;

function isUsable(set: TrainSet, patient: string, path: string): boolean {
  if (patient !== "acrin-flt-breast") return true;
  const file = Number(/(\d+)\.dcm$/.exec(basename(path))?.[1]);
  return !hasMetal(file) && (set === "all" || file >= firstTrunkFile);
}

/** The slices without metal of every series of a patient, HU of 512 × 512. */
async function cleanSlices(folder: string, patient: string, set: TrainSet): Promise<Float32Array[]> {
  const clean: Float32Array[] = [];
  for (const { seriesUid } of await listSeries(join(folder, patient))) {
    const { volume: hu, slices } = await readSeries(join(folder, patient), { seriesUid });
    const pixels = hu.shape[1]! * hu.shape[2]!;
    for (const [i, { file }] of slices.entries()) {
      const plane = hu.data.subarray(i * pixels, (i + 1) * pixels);
      if (isUsable(set, patient, file) && !plane.some((value) => value > 2500)) clean.push(plane);
    }
  }
  return clean;
}

/** `count` slices, evenly spread, resampled to 416 × 416 with air at −1000. */
async function patientSlices(patient: string, set: PairSet, count: number): Promise<Float32Array[]> {
  const region = regions.find((r) => r.patient === patient && r.purpose === set);
  const chosen = region
    ? (await regionSlices(region, count)).map(({ hu }) => hu)
    : evenly(await cleanSlices(join(trainFolder(), "ct-train"), patient, set as TrainSet), count);
  return Promise.all(
    chosen.map(async (data) => {
      const side = Math.sqrt(data.length);
      const small = await resample({ data, shape: [side, side] }, { shape: [imageSize, imageSize], method: "area" });
      return (await clip(small, -1000, Number.POSITIVE_INFINITY)).data;
    }),
  );
}

const evenly = <T>(all: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, k) => all[Math.floor(((k + 0.5) * all.length) / count)]!);

interface Blob {
  /** Offsets from the blob's middle, pixels. */
  pixels: [row: number, column: number][];
}

/** A shape of the library scaled to about `area` pixels. */
function blobOf(shapes: Float64Array, side: number, index: number, area: number): Blob {
  const shape = shapes.subarray(index * side * side, (index + 1) * side * side);
  const inside: [number, number][] = [];
  for (let i = 0; i < shape.length; i++) if (shape[i]! > 0) inside.push([Math.floor(i / side), i % side]);
  const middle = [0, 1].map((axis) => inside.reduce((sum, p) => sum + p[axis]!, 0) / inside.length) as [number, number];
  const scale = Math.sqrt(inside.length / area);
  const reach = Math.ceil(side / scale);
  const pixels: [number, number][] = [];
  for (let r = -reach; r <= reach; r++)
    for (let c = -reach; c <= reach; c++) {
      const [y, x] = [Math.round(middle[0] + r * scale), Math.round(middle[1] + c * scale)];
      if (y >= 0 && y < side && x >= 0 && x < side && shape[y * side + x]! > 0) pixels.push([r, c]);
    }
  return { pixels };
}

/** Puts the blob where all of it lies in tissue, near `around` if given; false where no place is found. */
function place(blob: Blob, hu: Float32Array, mask: Uint8Array, random: () => number, around?: [number, number]) {
  const centre = imageSize / 2;
  for (let attempt = 0; attempt < 4000; attempt++) {
    const spread = around ? 30 + attempt / 40 : 110;
    const [y, x] = around ?? [centre, centre];
    const row = Math.round(y + (random() * 2 - 1) * spread);
    const column = Math.round(x + (random() * 2 - 1) * spread);
    const at = ([r, c]: [number, number]) => (row + r) * imageSize + column + c;
    const fits = blob.pixels.every((p) => {
      const [r, c] = [row + p[0], column + p[1]];
      return r >= 0 && r < imageSize && c >= 0 && c < imageSize && hu[at(p)]! > -300 && mask[at(p)] === 0;
    });
    if (!fits) continue;
    for (const p of blob.pixels) mask[at(p)] = 1;
    return [row, column] as [number, number];
  }
  return undefined;
}

interface Shapes {
  data: Float64Array;
  side: number;
  /** Which of them may be used. */
  indices: readonly number[];
}

function metalFor(pair: number, hu: Float32Array, { data, side, indices }: Shapes): Uint8Array {
  const random = randomSource(1000 + pair);
  const [area, parts] = fieldMetals[pair % 10]!;
  const mask = new Uint8Array(imageSize * imageSize);
  let around: [number, number] | undefined;
  for (let part = 0; part < parts; part++) {
    const blob = blobOf(data, side, indices[Math.floor(random() * indices.length)]!, area / parts);
    around = place(blob, hu, mask, random, around) ?? around;
  }
  if (!mask.includes(1)) throw new Error(`pair ${pair}: no place for metal in the slice`);
  return mask;
}

/** Ten pairs per round, each with one of the ten metals. */
async function makePairs(set: PairSet, rounds: number): Promise<Pairs> {
  const library = realData("masks/xcist_metal_masks.mat");
  if (!library) throw new Error("The benchmark needs masks/ of the real data (SINOGRAM_DATA).");
  const { array } = await readMatArray(library);
  const [count, side] = array.shape as [number, number, number];
  const indices = Array.from({ length: count }, (_, i) => i).filter((i) => !isPurpose(set) || isShapeOf(set, i));
  const shapes = { data: Float64Array.from(array.data as ArrayLike<number>), side, indices };
  const drawers: { patient: string; slices: Float32Array[] }[] = [];
  for (const [patient, n] of Object.entries(isPurpose(set) ? purposes[set] : sets[set]))
    drawers.push({ patient, slices: await patientSlices(patient, set, n * rounds) });
  const order = drawers.flatMap(({ patient, slices }) =>
    slices.map((hu, i) => ({ patient, hu, round: (i * rounds) / slices.length })),
  );
  order.sort((a, b) => Math.floor(a.round) - Math.floor(b.round));
  // Within a round the metals move on by one, so that no patient always gets the same size.
  const metalOf = (i: number) => Math.floor(i / 10) * 10 + ((i + Math.floor(i / 10) * 3) % 10);
  const images = new Float32Array(order.length * imageSize ** 2);
  const masks = new Uint8Array(order.length * imageSize ** 2);
  for (const [i, { hu }] of order.entries()) {
    images.set(hu, i * imageSize ** 2);
    masks.set(metalFor(metalOf(i), hu, shapes), i * imageSize ** 2);
  }
  const shape = [order.length, imageSize, imageSize];
  return {
    images: volume(images, shape),
    masks: volume(masks, shape),
    group: order.map((_, i) => groupOfMask[metalOf(i) % 10]!),
    patient: order.map(({ patient }) => patient),
  };
}

/** The pairs, from the cache where they are there. Remove the cache folder after changing how they are made. */
export async function marPairs(set: PairSet, rounds: number, cache = benchCache): Promise<Pairs> {
  const path = (name: string) => join(cache, `${set}-${rounds}`, name);
  if (!existsSync(path("about.npy"))) {
    const pairs = await makePairs(set, rounds);
    await writeNpy(path("images.npy"), pairs.images);
    await writeNpy(path("masks.npy"), pairs.masks);
    const about = pairs.group.flatMap((group, i) => [group, patients.indexOf(pairs.patient[i]!)]);
    await writeNpy(path("about.npy"), { data: Uint8Array.from(about), shape: [pairs.group.length, 2] });
  }
  const read = async (name: string) => (await readNpy(path(name))).array;
  const about = (await read("about.npy")).data as Uint8Array;
  return {
    images: (await read("images.npy")) as Volume,
    masks: (await read("masks.npy")) as Volume<Uint8Array<ArrayBuffer>>,
    group: Array.from({ length: about.length / 2 }, (_, i) => about[2 * i]!),
    patient: Array.from({ length: about.length / 2 }, (_, i) => patients[about[2 * i + 1]!]!),
  };
}
