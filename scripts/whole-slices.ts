/**
 * Whole slices to train a small diffusion network on, out of DICOM series and a table that says what their slices show: cut to a field
 * around the body, averaged to a few pixels, a few times each, bent and stretched a little (nobody's shape then), every second one
 * mirrored and labelled as mirrored. Held-out slices stay as they are.
 *
 *     node --import tsx scripts/whole-slices.ts examples/train/ct-slices-table.json --root ct-train -o ct-slices
 *
 * Writes train.npy [n, size, size] (HU, int16), classes.npy [n], values.npy [n, 2] (position from vertex 0 to hips 1; 1 where mirrored),
 * held.npy, and for --compare, as large as slices are drawn: learned.npy and heldout.npy, the middle of the field that training crops are of.
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../lib/core/arrays.ts";
import { makeFolder } from "../lib/core/files.ts";
import { readSeries } from "../lib/data/dicom/index.ts";
import { listFiles } from "../lib/data/dicom/list.ts";
import { NpyAppender, writeNpy } from "../lib/data/npy.ts";
import { removeSmallComponents } from "../lib/image/components.ts";
import { statistics, threshold } from "../lib/image/pixels.ts";
import { storeSlices } from "../lib/native/ops.ts";
import { numbers } from "../lib/training/samples.ts";

/** Slices of a folder by the number that ends their names, from head to foot or the other way round. */
interface Part {
  folder: string;
  slices: [first: number, last: number];
  /** Every so many; default each. */
  every?: number;
  without?: number[];
  bodyPart: string;
  /** Where the first and the last lie: vertex 0, hips 1. */
  position: [number, number];
  /** Side of the square that is cut out, and where its middle lies from the image's: to the right and downwards. */
  fieldMm: number;
  middleMm?: [number, number];
  /** Numbers of slices kept from training. */
  held?: [first: number, last: number][];
}

interface Table {
  bodyParts: string[];
  parts: Part[];
}

const [lowest, highest] = [-1000, 2000];

/** Of how many slices the position is not told, and what stands for it: the network sees (position + 0.5) · 2, then zero. */
const [withheld, unknown] = [0.35, -0.5];

/** Smooth displacements: a few waves longer than a quarter of the field, 1 % of it each, after stretching both axes by up to 8 %. */
function bentBy(next: () => number, fieldMm: number): (x: number, y: number) => [number, number] {
  const spread = (most: number) => (2 * next() - 1) * most;
  const [stretchX, stretchY] = [1 + spread(0.08), 1 + spread(0.08)];
  const waves = Array.from({ length: 6 }, () => ({
    kx: (spread(4) * 2 * Math.PI) / fieldMm / 2,
    ky: (spread(4) * 2 * Math.PI) / fieldMm / 2,
    phase: next() * 2 * Math.PI,
    dx: spread(0.012 * fieldMm),
    dy: spread(0.012 * fieldMm),
  }));
  return (x, y) => {
    let [u, v] = [x * stretchX, y * stretchY];
    for (const { kx, ky, phase, dx, dy } of waves) {
      const wave = Math.sin(kx * x + ky * y + phase);
      u += dx * wave;
      v += dy * wave;
    }
    return [u, v];
  };
}

interface Cut {
  size: number;
  fieldMm: number;
  middleMm: readonly [number, number];
  isMirrored?: boolean;
  bent?: (x: number, y: number) => [number, number];
}

/** A square of an image at another size: every pixel is the mean of as many points as it covers pixels; air outside. */
export function cut(image: Volume, pixelMm: number, { size, fieldMm, middleMm, isMirrored, bent }: Cut): Volume {
  const { data, shape } = image;
  const [rows, columns] = shape as [number, number];
  const side = fieldMm / size;
  const fine = Math.max(1, Math.round(side / pixelMm));
  const at = (row: number, column: number) =>
    row < 0 || row >= rows || column < 0 || column >= columns
      ? lowest
      : Math.min(highest, Math.max(lowest, data[row * columns + column]!));
  const valueAt = (x: number, y: number) => {
    const [u, v] = bent ? bent(x, y) : [x, y];
    const column = (u + middleMm[0]) / pixelMm + (columns - 1) / 2;
    const row = (v + middleMm[1]) / pixelMm + (rows - 1) / 2;
    const [c, r] = [Math.floor(column), Math.floor(row)];
    const [fc, fr] = [column - c, row - r];
    const above = (1 - fc) * at(r, c) + fc * at(r, c + 1);
    const below = (1 - fc) * at(r + 1, c) + fc * at(r + 1, c + 1);
    return (1 - fr) * above + fr * below;
  };
  const result = new Float32Array(size * size);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let i = 0; i < fine * fine; i++) {
        const x = (column + ((i % fine) + 0.5) / fine - size / 2) * side;
        const y = (row + (Math.floor(i / fine) + 0.5) / fine - size / 2) * side;
        sum += valueAt(isMirrored ? -x : x, y);
      }
      result[row * size + column] = sum / (fine * fine);
    }
  return volume(result, [size, size]);
}

/** As `sinogram prepare` has it. */
async function hasMetal(image: Volume): Promise<boolean> {
  return (await statistics(await removeSmallComponents(await threshold(image, 2500), 12))).sum > 0;
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      root: { type: "string", default: "." },
      output: { type: "string", short: "o", default: "ct-slices" },
      /** Pixels of the slices, and of the crops that training takes of them. */
      size: { type: "string", default: "112" },
      crop: { type: "string", default: "104" },
      compare: { type: "string", default: "416" },
      copies: { type: "string", default: "6" },
      seed: { type: "string", default: "1" },
    },
  });
  const [size, crop, compare] = [Number(values.size), Number(values.crop), Number(values.compare)];
  const [copies, seed] = [Number(values.copies), Number(values.seed)];
  const table = JSON.parse(await readFile(positionals[0]!, "utf8")) as Table;
  await makeFolder(values.output);
  const open = (name: string, side: number) =>
    NpyAppender.open(join(values.output, `${name}.npy`), "int16", [side, side]);
  const [train, held] = [await open("train", size), await open("held", size)];
  const [learned, heldOut] = [await open("learned", compare), await open("heldout", compare)];
  const write = async (file: NpyAppender, { data }: Volume) =>
    file.append(
      (await storeSlices(data, Float64Array.of(1), Float64Array.of(0), { signed: true, bitsStored: 16 })).stored,
    );
  const classes: number[] = [];
  const conditions: number[] = [];
  let index = 0;
  for (const part of table.parts) {
    const { slices, every = 1, without = [], fieldMm, middleMm = [0, 0], position } = part;
    const [first, last] = slices;
    for (const file of await listFiles(join(values.root, part.folder))) {
      const number = Number(/(\d+)\.dcm$/.exec(file)?.[1]);
      const isHeld = (part.held ?? []).some(([from, to]) => number >= from && number <= to);
      if (!(number >= first && number <= last) || without.includes(number) || (!isHeld && (number - first) % every))
        continue;
      const { volume: read, spacingMm } = await readSeries([file]);
      const image = volume(read.data as Float32Array<ArrayBuffer>, read.shape.slice(-2));
      if (await hasMetal(image)) continue;
      const pixelMm = spacingMm.column;
      const plain = { fieldMm, middleMm };
      const large = cut(image, pixelMm, { ...plain, fieldMm: (fieldMm * crop) / size, size: compare });
      await write(isHeld ? heldOut : learned, large);
      if (isHeld) {
        await write(held, cut(image, pixelMm, { ...plain, size }));
        continue;
      }
      const along = position[0] + ((position[1] - position[0]) * (number - first)) / Math.max(1, last - first);
      const next = numbers(seed, index++);
      for (let copy = 0; copy < copies; copy++) {
        const isMirrored = copy % 2 === 1;
        const bent = copy < 2 ? {} : { bent: bentBy(next, fieldMm) };
        await write(train, cut(image, pixelMm, { ...plain, size, isMirrored, ...bent }));
        classes.push(table.bodyParts.indexOf(part.bodyPart));
        conditions.push(next() < withheld ? unknown : along, isMirrored ? 1 : 0);
      }
    }
  }
  for (const file of [train, held, learned, heldOut]) await file.close();
  await writeNpy(join(values.output, "classes.npy"), volume(Float32Array.from(classes), [classes.length]));
  await writeNpy(join(values.output, "values.npy"), volume(Float32Array.from(conditions), [classes.length, 2]));
  console.log(`${index} slices to train on, ${train.count} with their copies; ${held.count} held out`);
}
