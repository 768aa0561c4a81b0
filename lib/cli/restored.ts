/**
 * What denoise, super-resolve, correct-motion and enhance share: images come as a DICOM series or an array file, and go out the same way, with a
 * record and, where asked, a report.
 */
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Volume, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { ioError, writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { type LoadedArray, toFloat32 } from "../data/array-files.ts";
import { type CtSeries, readSeries } from "../data/dicom/read.ts";
import { type DerivedSeries, writeDerivedSeries } from "../data/dicom/write.ts";
import { requireFinite, statistics } from "../image/pixels.ts";
import type { Precision, RestorationModel } from "../models/index.ts";
import { storeSlices } from "../native/ops.ts";
import { qualityTables } from "../report/quality.ts";
import { type ReportInput, writeReport } from "../report/report.ts";
import { checkApart } from "./apart.ts";
import { checkOutputFormat, counted, load, quietly, type Run, requirePlanes, sizes, timed } from "./command.ts";
import { toJson } from "./console.ts";
import { UsageError } from "./failure.ts";
import {
  checkFileTarget,
  checkFolderTarget,
  checkReportTargets,
  withFileOutputs,
  withFolderOutput,
} from "./outputs.ts";
import { sidecarPath } from "./sidecar.ts";

export interface RestoredOptions {
  output: string;
  series?: string;
  modality?: "ct" | "mr";
  pixelMm?: [number, number];
  report?: boolean;
  /** Of a network: why it changes what it changes, and whether the images support it, in the report. */
  explain?: boolean;
  /** Of a network; default float32. */
  precision?: Precision;
  overwrite?: boolean;
}

/** Images that a command makes better. */
export interface Source {
  readonly input: string;
  readonly images: Volume;
  /** "CT", "MR", …; undefined where nobody says. */
  readonly modality: string | undefined;
  /** 8: values of a byte, which no HU fit into. */
  readonly bits: number;
  readonly pixelMm: readonly [number, number];
  /** From slice to slice; undefined where nobody says. */
  readonly sliceMm: number | undefined;
  readonly series?: CtSeries;
  readonly loaded?: LoadedArray;
}

/** What a command made of them. */
export interface Made {
  readonly images: Volume;
  /** At most 40 ASCII characters. */
  readonly description: string;
  /** A sentence of at most 1024 ASCII characters. */
  readonly derivation: string;
  /** All that the result depends on besides the source. */
  readonly configuration: object;
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly notes: readonly string[];
  /** Of the report's layers instead of the source's, where that has another size. */
  readonly before?: Volume;
  /** Further layers of the report, of the result's shape, and the weights of the slices that it shows. */
  readonly explained?: {
    readonly layers: readonly { name: string; hu: Volume }[];
    readonly importance: readonly number[];
  };
}

export interface Work {
  readonly command: string;
  readonly title: string;
  readonly make: (source: Source, run: Run) => Promise<Made>;
  /** The result is no HU any more. */
  readonly isForLooking?: boolean;
  /** The result has more pixels than a derived series could have. */
  readonly isLarger?: boolean;
}

/** What a record says of a network's precision, where it is not float32. */
export const int8 = ({ precision }: RestoredOptions) => (precision === "int8" ? { precision } : {});

export const isArrayFile = (name: string): boolean =>
  /\.(npy|npz|nii|nii\.gz|hdr|img|raw|f32|mat|h5|hdf5|tiff?|png)(:[^/]*)?$/i.test(name);

/** Reads, makes, writes. Throws what reading and writing throw; NaN in the images is refused with ERR_SINO_OUT_OF_RANGE. */
export async function restored(input: string, options: RestoredOptions, work: Work, run: Run): Promise<number> {
  const given = { ...options, report: (options.report || options.explain) ?? false };
  if (isArrayFile(input)) return ofFile(input, given, work, run);
  await stat(input).catch((error) => {
    throw ioError("read", input, error);
  });
  return ofSeries(input, given, work, run);
}

async function ofFile(input: string, given: RestoredOptions, work: Work, run: Run): Promise<number> {
  const { output, modality } = given;
  const isPng = /\.png$/i.test(output);
  const target = isPng ? output : checkOutputFormat(output);
  await checkFileTarget(target, [input]);
  if (given.report) await checkReportTargets(target, [input]);
  const [loaded, reading] = await timed(() => load(input, run));
  const { shape } = loaded.array;
  if (loaded.meta.format === "png" && shape.length === 3)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected grey values in ${loaded.meta.path} but found a colour image of ${shape[2]} channels. Convert it to grey first.`,
      { details: { path: loaded.meta.path, shape } },
    );
  if (isPng && (loaded.meta.format !== "png" || shape.length !== 2))
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `Only a PNG becomes a PNG, of the same depth: name a .npy or .nii.gz file instead of ${output}.`,
    );
  const images = toFloat32(requirePlanes(loaded, "an image [row, column]"));
  await requireFinite(images, "the image", quietly(run));
  const [row, column] = given.pixelMm ?? loaded.meta.spacing?.slice(-2) ?? [];
  const isByte = /^u?int8$/.test(loaded.meta.dtype);
  const source: Source = {
    input,
    images,
    modality: modality?.toUpperCase(),
    bits: isByte ? 8 : 16,
    pixelMm: [row || 1, column || row || 1],
    sliceMm: images.shape.length === 3 ? loaded.meta.spacing?.at(-3) || undefined : undefined,
    loaded,
  };
  const [made, computing] = await timed(() => work.make(source, run));
  const paths = await withFileOutputs(run.signal, async (outputs) => {
    const { header, affine, spacing } = loaded.meta;
    const isSameSize = made.images.shape.join() === images.shape.join();
    const place = isSameSize
      ? { ...(header && { header }), ...(affine && { affine }), ...(spacing && { spacing }) }
      : {};
    const scaled = isSameSize ? undefined : scaledPlace(loaded, made.images.shape);
    if (isPng) await outputs.array(output, await asPng(made.images, isByte));
    else await outputs.array(output, made.images, scaled ?? place);
    const record = recordOf(work, source, made, [basename(output)], { reading, computing }, run);
    await outputs.file(await sidecarPath(target, [input]), record);
    if (given.report) {
      const page = await pageOf(work, source, made, computing, run);
      await writeReport(page, quietly(run), (name, ...chunks) => outputs.file(join(dirname(target), name), ...chunks));
    }
  });
  run.console.log(`${output}: ${sizes(made.images.shape)}, ${made.description}, ${computing.toFixed(2)} s`);
  for (const path of paths.slice(2)) run.console.log(path);
  const { configuration, facts } = made;
  await run.console.result({
    output,
    files: paths,
    shape: made.images.shape,
    ...configuration,
    facts: Object.fromEntries(facts),
    seconds: computing,
    warnings: run.console.warnings,
  });
  return 0;
}

/** NIfTI of another size over the same extent. */
function scaledPlace({ array, meta }: LoadedArray, shape: readonly number[]): { spacing?: number[] } {
  if (!meta.spacing) return {};
  return { spacing: meta.spacing.map((mm, axis) => (mm * array.shape[axis]!) / (shape[axis] ?? 1)) };
}

async function asPng(image: Volume, isByte: boolean): Promise<Volume<Uint8Array> | Volume<Uint16Array>> {
  const bitsStored = isByte ? 8 : 16;
  const { stored } = await storeSlices(image.data, Float64Array.of(1), Float64Array.of(0), {
    signed: false,
    bitsStored,
  });
  return volume(
    isByte ? Uint8Array.from(stored) : (stored as Uint16Array<ArrayBuffer>),
    image.shape,
  ) as Volume<Uint8Array>;
}

async function ofSeries(folder: string, given: RestoredOptions, work: Work, run: Run): Promise<number> {
  const { output, pixelMm, modality } = given;
  const { signal, console } = run;
  if (pixelMm || modality) console.warn("--pixel-mm and --modality are for array files; DICOM says its own.");
  const arrayOutput = isArrayFile(output) ? checkOutputFormat(output) : undefined;
  if (work.isLarger && !arrayOutput)
    throw new UsageError(
      `A derived series keeps rows and columns of its source: name a .nii.gz or .npy file for -o instead of ${output}.`,
    );
  if (arrayOutput) {
    await checkFileTarget(arrayOutput);
    if (given.report) await checkReportTargets(arrayOutput, []);
  } else {
    await checkFolderTarget(output, given.overwrite ?? false);
    await checkApart(folder, output, run);
  }
  const [series, reading] = await timed(() => readAny(folder, given.series, run));
  for (const warning of series.warnings) console.warn(warning);
  await requireFinite(series.volume, "the series", quietly(run));
  const first = series.slices[0]!;
  const source: Source = {
    input: folder,
    images: series.volume,
    modality: series.modality || undefined,
    bits: first.bitsStored,
    pixelMm: first.pixelSpacing,
    sliceMm: series.spacingMm.slice || undefined,
    series,
  };
  const [made, computing] = await timed(() => work.make(source, run));
  if (arrayOutput) {
    await withFileOutputs(signal, async (outputs) => {
      await outputs.array(output, made.images, { spacing: spacingOf(series, made.images.shape) });
      const record = recordOf(work, source, made, [basename(output)], { reading, computing }, run);
      await outputs.file(await sidecarPath(arrayOutput, []), record);
      if (given.report) {
        const page = await pageOf(work, source, made, computing, run);
        const put = (name: string, ...chunks: (Uint8Array | string)[]) =>
          outputs.file(join(dirname(arrayOutput), name), ...chunks);
        await writeReport(page, quietly(run), put);
      }
    });
  } else {
    await withFolderOutput(output, signal, async (temporary) => {
      const derived: DerivedSeries = await writeDerivedSeries(series, made.images, {
        out: temporary,
        description: made.description,
        derivation: made.derivation,
        configuration: made.configuration,
        signal,
        onProgress: console.progress,
      });
      if (derived.clippedPixels > 0)
        console.warn(
          `${derived.clippedPixels} pixels lie outside what 16 bits hold at the source's rescale; they were clipped.`,
        );
      if (given.report) {
        const page = await pageOf(work, source, made, computing, run);
        await writeReport(page, quietly(run), (name, ...chunks) => writeFileAtomic(join(temporary, name), ...chunks));
      }
      const files = derived.files.map((file) => basename(file));
      const record = recordOf(work, source, made, files, { reading, computing }, run, derived);
      await writeFileAtomic(join(temporary, "sinogram.json"), record);
    });
  }
  const slices = series.slices.length;
  console.log(`${output}: ${counted(slices, "slice")}, ${made.description}, ${computing.toFixed(1)} s`);
  await console.result({
    output,
    slices,
    shape: made.images.shape,
    ...made.configuration,
    facts: Object.fromEntries(made.facts),
    seconds: computing,
    warnings: console.warnings,
  });
  return 0;
}

async function readAny(folder: string, seriesUid: string | undefined, run: Run): Promise<CtSeries> {
  try {
    const options = { seriesUid, anyModality: true, signal: run.signal, onProgress: run.console.progress };
    return await readSeries(folder, options);
  } catch (error) {
    const { code, message, details } = error as { code?: string; message: string; details?: { series?: string[] } };
    if (code !== "ERR_SINO_OUT_OF_RANGE" || !details?.series) throw error;
    const sentence = message.replace(/ Choose one by its UID\.$/, " Choose one with --series UID.");
    throw sinoError("ERR_SINO_OUT_OF_RANGE", sentence, { cause: error, details });
  }
}

function spacingOf({ volume: { shape }, spacingMm }: CtSeries, made: readonly number[]): number[] {
  const { slice, row, column } = spacingMm;
  return [slice || 1, (row * shape[1]!) / made[1]!, (column * shape[2]!) / made[2]!];
}

const unitOf = (source: Source, { isForLooking }: Work): string =>
  source.modality === "CT" && !isForLooking ? "HU" : "as the input";

function recordOf(
  work: Work,
  source: Source,
  made: Made,
  outputs: readonly string[],
  seconds: object,
  { console, options }: Run,
  derived?: DerivedSeries,
): string {
  const { input, series, images, modality } = source;
  const of = series ? { folder: input, seriesUid: series.seriesUid, slices: series.slices.length } : { images: input };
  return `${toJson({
    software: "sinogram",
    version,
    command: work.command,
    inputs: { ...of, shape: images.shape, modality },
    outputs,
    unit: unitOf(source, work),
    ...(derived && { seriesUid: derived.seriesUid, clippedPixels: derived.clippedPixels }),
    ...made.configuration,
    facts: Object.fromEntries(made.facts),
    device: options.device ?? "auto",
    warnings: console.warnings,
    seconds,
  })}\n`;
}

async function pageOf(work: Work, source: Source, made: Made, seconds: number, run: Run): Promise<ReportInput> {
  const { images, pixelMm, modality, input } = source;
  const before = made.before ?? images;
  const isHu = modality === "CT";
  const { minimum, maximum } = await statistics(before, quietly(run));
  const times = made.images.shape.at(-1)! / images.shape.at(-1)!;
  const pixel: readonly [number, number] = [pixelMm[0] / times, pixelMm[1] / times];
  const span = Math.max(maximum - minimum, 1);
  return {
    title: work.title,
    layers: [{ name: "Before", hu: before }, { name: "After", hu: made.images }, ...(made.explained?.layers ?? [])],
    ...(made.explained && { importance: made.explained.importance, shown: "that the input supports least" }),
    pixelMm: pixel,
    seconds,
    ...(!isHu && {
      unit: "as the input",
      windows: [["All", Math.round((minimum + maximum) / 2), Math.ceil(span)] as const],
    }),
    facts: [["Input", input], ...made.facts],
    notes: made.notes,
    warnings: run.console.warnings,
    tables: await qualityTables(before, made.images, { pixelMm: pixel[0], unit: isHu ? "HU" : "1", ...quietly(run) }),
  };
}

/**
 * Whether a model may see these images. Throws ERR_SINO_UNSUPPORTED for another modality, ERR_SINO_OUT_OF_RANGE where values cannot be
 * the model's unit: bytes, or values scaled to a window.
 */
export async function checkFits(model: RestorationModel, source: Source, run: Run): Promise<void> {
  const { modality, unit, name } = model;
  const { input } = source;
  if (modality && source.modality && modality !== source.modality)
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `${name} was trained on ${modality}, but ${input} is ${source.modality}. Choose a method without a model, such as nlm, or a model of ${source.modality}.`,
      { details: { model: name, expected: modality, found: source.modality } },
    );
  if (unit !== "HU") return;
  const refuse = (why: string): Error =>
    sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `${name} expects HU, but ${input} ${why}. Convert it to HU first, or choose a method without a model, such as nlm.`,
      { details: { model: name, path: input } },
    );
  if (source.bits <= 8) throw refuse("holds values of 8 bits, which are grey levels of some window");
  const { minimum, maximum } = await statistics(source.images, quietly(run));
  if (maximum - minimum <= 4 && maximum !== minimum)
    throw refuse(
      `holds values from ${minimum.toPrecision(3)} to ${maximum.toPrecision(3)}, scaled to a window that nobody says`,
    );
  if (minimum >= 0 && source.modality !== "CT")
    throw refuse(
      `holds no value below 0 (${minimum.toFixed(0)} to ${maximum.toFixed(0)}), as images with air do; if it is CT in HU, say so with --modality ct`,
    );
}
