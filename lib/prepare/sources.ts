/** What slices come from: DICOM series, array files (NIfTI, npy, …), DeepLesion's folders of PNG. */
import { basename } from "node:path";
import { type ArrayLike, type TypedArray, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { parseArraySpec, readArray } from "../data/array-files.ts";
import { arrange } from "../data/dicom/geometry.ts";
import { readSeries } from "../data/dicom/index.ts";
import { groupSeries, listFiles, readHeads } from "../data/dicom/list.ts";
import { selectSlices } from "../data/dicom/select.ts";
import { deepLesionPatient, deepLesionSeries, readDeepLesionSplits } from "./deep-lesion.ts";
import type { SplitName } from "./split.ts";

/** Slices of one patient, read a few at a time. */
export interface SliceSource {
  /** For the manifest: a path, with the series where there are several. */
  readonly name: string;
  readonly patient: string;
  /** Where the data's makers said it. */
  readonly split?: SplitName | undefined;
  readonly files: readonly string[];
  /** HU, [slice, row, column] or [row, column], in pieces that fit in memory. */
  pieces(signal?: AbortSignal): AsyncGenerator<ArrayLike>;
}

export interface SourceOptions {
  /** DeepLesion's DL_info.csv: the inputs are its PNG. */
  deepLesion?: string | undefined;
  signal?: AbortSignal | undefined;
}

const slicesAtOnce = 16;

/**
 * Sources of files and folders, in the order of their names. Files that are no images are passed over in folders.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT (nothing found, a damaged file), ERR_SINO_UNSUPPORTED (PNG without a CSV).
 */
export async function findSources(inputs: readonly string[], options: SourceOptions = {}): Promise<SliceSource[]> {
  const files = new Set<string>();
  for (const input of inputs) for (const file of await listFiles(input)) files.add(file);
  const all = [...files];
  const found = options.deepLesion
    ? await deepLesionSources(all, options.deepLesion)
    : [...arraySources(all, inputs), ...(await dicomSources(all, inputs, options))];
  if (found.length === 0)
    throw sinoError(
      "ERR_SINO_IO_FORMAT",
      options.deepLesion
        ? `None of the ${all.length} files belongs to a series of ${options.deepLesion}. Name the folder that holds 000001_01_01 and the like.`
        : `Expected CT series, .nii or .npy files in ${inputs.join(", ")} but found none among ${all.length} files.`,
      { details: { inputs, files: all.length } },
    );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function arrayFormat(file: string): string | undefined {
  try {
    return parseArraySpec(file).format;
  } catch {
    return undefined;
  }
}

function arraySources(files: readonly string[], inputs: readonly string[]): SliceSource[] {
  const sources: SliceSource[] = [];
  for (const file of files) {
    const format = arrayFormat(file);
    if (format === "png" && inputs.includes(file))
      throw sinoError(
        "ERR_SINO_UNSUPPORTED",
        `${file}: a PNG does not say what HU its values are. For DeepLesion's, name its DL_info.csv with --deep-lesion.`,
        { details: { path: file } },
      );
    if (!format || format === "png" || /\.hdr$/i.test(file)) continue;
    // sub-01_ct.nii.gz of BIDS: the subject; else a file is a patient
    const patient = /(?:^|[\\/])(sub-[^_\\/.]+)/.exec(file)?.[1] ?? basename(file);
    sources.push({
      name: file,
      patient,
      files: [file],
      async *pieces() {
        const { array, meta } = await readArray(file);
        if (array.shape.length !== 2 && array.shape.length !== 3)
          throw sinoError(
            "ERR_SINO_SHAPE",
            `Expected slices [slice, row, column] in ${file} but found an array of shape [${array.shape.join(", ")}].`,
            { details: { path: file, shape: array.shape } },
          );
        yield* inPieces(meta.format === "nifti" ? upright(array, meta.affine) : array);
      },
    });
  }
  return sources;
}

/** A NIfTI volume with its columns running to the patient's left and its rows to the back, as DICOM shows axial slices. */
function upright(array: ArrayLike, affine: readonly (readonly number[])[] | undefined): ArrayLike {
  const rank = array.shape.length;
  const stride = [...(array.stride ?? volume(array.data, array.shape).stride)];
  let offset = array.offset ?? 0;
  for (const [axis, world] of [
    [rank - 1, 0],
    [rank - 2, 1],
  ] as const) {
    // mm grow to the right-anterior-superior: what grows runs the other way round
    if ((affine?.[world]?.[world] ?? -1) <= 0) continue;
    offset += stride[axis]! * (array.shape[axis]! - 1);
    stride[axis] = -stride[axis]!;
  }
  return { data: array.data, shape: array.shape, stride, offset };
}

function* inPieces({ data, shape, stride, offset = 0 }: ArrayLike): Generator<ArrayLike> {
  if (shape.length === 2) {
    yield { data, shape, ...(stride && { stride }), offset };
    return;
  }
  const steps = stride ?? volume(data as TypedArray, shape).stride;
  for (let first = 0; first < shape[0]!; first += slicesAtOnce) {
    const count = Math.min(slicesAtOnce, shape[0]! - first);
    yield { data, shape: [count, ...shape.slice(1)], stride: steps, offset: offset + first * steps[0]! };
  }
}

async function dicomSources(
  files: readonly string[],
  inputs: readonly string[],
  { signal }: SourceOptions,
): Promise<SliceSource[]> {
  const candidates = files.filter((file) => arrayFormat(file) === undefined);
  const { heads, damaged, notDicom } = await readHeads(candidates, { signal });
  if (damaged[0]) throw damaged[0].error;
  const named = notDicom.find((file) => inputs.includes(file));
  if (named !== undefined)
    throw sinoError("ERR_SINO_IO_FORMAT", `${named} is neither an array file nor DICOM.`, { details: { path: named } });
  const patients = new Map(heads.map(({ seriesUid, patientId, studyUid }) => [seriesUid, patientId ?? studyUid]));
  return groupSeries(heads)
    .filter(({ modality, isLocalizer }) => modality === "CT" && !isLocalizer)
    .map((series) => ({
      name: `${series.files[0]!} ${series.seriesUid}`,
      patient: patients.get(series.seriesUid) ?? series.seriesUid,
      files: series.files,
      async *pieces(stop) {
        const wanted = { seriesUid: series.seriesUid, signal: stop };
        // in the order of the whole series, not of names
        const files = arrange((await selectSlices(series.files, wanted)).slices).slices.map(({ file }) => file);
        for (let first = 0; first < files.length; first += slicesAtOnce) {
          const part = files.slice(first, first + slicesAtOnce);
          yield (await readSeries(part, wanted)).volume;
        }
      },
    }));
}

async function deepLesionSources(files: readonly string[], csv: string): Promise<SliceSource[]> {
  const splits = await readDeepLesionSplits(csv);
  const series = new Map<string, string[]>();
  for (const file of files) {
    const name = deepLesionSeries(file);
    if (!/\.png$/i.test(file) || !splits.has(name)) continue;
    const group = series.get(name);
    if (group) group.push(file);
    else series.set(name, [file]);
  }
  return [...series].map(([name, group]) => ({
    name,
    patient: deepLesionPatient(name),
    split: splits.get(name),
    files: group,
    async *pieces() {
      for (const file of group) yield (await readArray(file, { deepLesion: true })).array;
    },
  }));
}
