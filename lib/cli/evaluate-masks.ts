/** `sinogram evaluate --masks`: how far masks agree with the reference's. */
import { dice, hausdorff } from "../metrics/overlap.ts";
import { aligned } from "./aligned.ts";
import { type Command, counted, quietly, type Run } from "./command.ts";
import { UsageError } from "./failure.ts";
import { type ImageSet, loadImageSet, requirePartners } from "./image-set.ts";

/** Those of images among them are refused. */
export interface MaskOptions {
  readonly [option: string]: unknown;
}

const ofImages = ["mask", "protocol", "window", "tissue", "unit", "msSsim", "output"];

interface Agreement {
  images: string;
  /** 3: the volume as one; 2: means over slices where both have something set. */
  dimensions: 2 | 3;
  unit: "mm" | "pixels";
  dice: number;
  hausdorff95: number;
  hausdorff: number;
  slices: { dice: number; hausdorff95: number; hausdorff: number }[];
}

export function evaluateMasks(files: readonly string[], given: MaskOptions): Command {
  return async (run) => {
    if (files.length < 2) throw new UsageError("Name one mask at least and, last, the reference.");
    const wrong = ofImages.find((name) => given[name] !== undefined && given[name] !== false);
    const flag = wrong?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (flag) throw new UsageError(`--${flag} is for images: with --masks leave it out.`);
    const read = (spec: string) => loadImageSet(spec, { deepLesion: false }, run);
    const reference = await read(files.at(-1)!);
    const results: Agreement[] = [];
    for (const spec of files.slice(0, -1)) {
      const masks = await read(spec);
      requirePartners(masks, reference);
      results.push(await agreement(masks, reference, run));
    }
    const document = { reference: reference.spec, ...(results.length === 1 ? results[0]! : { results }) };
    await run.console.result(document, results.map(table).join("\n"));
    return 0;
  };
}

async function agreement(masks: ImageSet, reference: ImageSet, run: Run): Promise<Agreement> {
  const rank = reference.images.shape.length;
  const dimensions: 2 | 3 = rank === 3 && !reference.names ? 3 : 2;
  const { pixelMm, sliceMm } = reference;
  const inMm = pixelMm !== undefined && (dimensions === 2 || sliceMm !== undefined);
  const sampling = inMm ? (dimensions === 3 ? [sliceMm!, ...pixelMm] : [...pixelMm]) : 1;
  const [a, b] = [aligned(masks.images, rank), reference.images];
  const options = { ...quietly(run), dimensions } as const;
  const overlap = await dice(a, b, options);
  const [most, all] = [
    await hausdorff(a, b, { ...options, sampling, percentile: 0.95 }),
    await hausdorff(a, b, { ...options, sampling, percentile: 1 }),
  ];
  return {
    images: masks.spec,
    dimensions,
    unit: inMm ? "mm" : "pixels",
    dice: meanOf(overlap),
    hausdorff95: meanOf(most),
    hausdorff: meanOf(all),
    slices: Array.from(overlap, (value, k) => ({ dice: value, hausdorff95: most[k]!, hausdorff: all[k]! })),
  };
}

/** Over what is defined. */
function meanOf(values: Float64Array): number {
  const known = values.filter(Number.isFinite);
  return known.reduce((sum, v) => sum + v, 0) / known.length;
}

const shown = (value: number, digits: number) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

function table({ images, dimensions, unit, slices, ...found }: Agreement): string {
  const how = dimensions === 3 ? "one volume" : `${counted(slices.length, "slice")}, means of those with both masks`;
  return [
    `masks     ${images}, ${how}`,
    `Dice      ${shown(found.dice, 5)}`,
    `Hausdorff ${shown(found.hausdorff95, 3)} ${unit} (95 %), ${shown(found.hausdorff, 3)} ${unit} at most`,
    "",
  ].join("\n");
}
