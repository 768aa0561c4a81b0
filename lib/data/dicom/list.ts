/** Finding series: every DICOM file below a folder, told apart by SeriesInstanceUID, from their heads only. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ioError } from "../../core/files.ts";
import { readHead, type SliceHead } from "./head.ts";

/** Milliseconds of blocking work between two turns of the event loop. */
const turnMs = 4;

export interface SeriesInfo {
  readonly seriesUid: string;
  readonly studyUid: string | undefined;
  readonly modality: string;
  readonly description: string;
  readonly seriesNumber: number | undefined;
  readonly rows: number | undefined;
  readonly columns: number | undefined;
  /** Image files of the series, by name; localisers are in `localizers`. */
  readonly files: readonly string[];
  /** Scout views found under the same UID; a series of nothing else has them in `files` and `isLocalizer` true. */
  readonly localizers: readonly string[];
  readonly isLocalizer: boolean;
}

export interface Scan {
  readonly series: readonly SeriesInfo[];
  /** DICOM files that cannot be read at all, so that no series could be told. */
  readonly damaged: readonly { readonly file: string; readonly error: Error }[];
}

export interface ListOptions {
  signal?: AbortSignal | undefined;
}

/**
 * Lists the series in a folder and its subfolders (or in one file). Files may have any name; DICOMDIR, objects without
 * an image and files that are not DICOM are passed over. Reads heads only. Throws ERR_SINO_IO, or the error of the first
 * damaged file where nothing else is found.
 */
export async function listSeries(path: string, options: ListOptions = {}): Promise<SeriesInfo[]> {
  const { series, damaged } = await scanSeries(path, options);
  if (series.length === 0 && damaged[0]) throw damaged[0].error;
  return [...series];
}

/** As listSeries, and also names the files that are damaged. */
export async function scanSeries(path: string, options: ListOptions = {}): Promise<Scan> {
  const { heads, damaged } = await readHeads(await listFiles(path), options);
  return { series: groupSeries(heads), damaged };
}

/** What an interrupted writeDerivedSeries may have left: not part of anything. */
const unfinished = /[\\/]\.[^\\/]+\.tmp[\\/]/;

/** All regular files below a folder, sorted by path; of a file, itself. */
export async function listFiles(path: string): Promise<string[]> {
  try {
    const found: string[] = [];
    if (!(await stat(path)).isDirectory()) return [path];
    for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
      const file = join(entry.parentPath ?? entry.path, entry.name);
      if (unfinished.test(file)) continue;
      if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(file)))) found.push(file);
    }
    return found.sort();
  } catch (error) {
    throw ioError("read", path, error);
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}

/** Heads of the files that are DICOM. Gives the event loop a turn every few milliseconds. */
export async function readHeads(
  files: readonly string[],
  { signal }: ListOptions = {},
): Promise<{ heads: SliceHead[]; damaged: { file: string; error: Error }[]; notDicom: string[] }> {
  const heads: SliceHead[] = [];
  const damaged: { file: string; error: Error }[] = [];
  const notDicom: string[] = [];
  let turn = performance.now();
  for (const file of files) {
    if (performance.now() - turn > turnMs) {
      await nextTurn();
      signal?.throwIfAborted();
      turn = performance.now();
    }
    try {
      const head = readHead(file);
      if (head) heads.push(head);
      else notDicom.push(file);
    } catch (error) {
      damaged.push({ file, error: error as Error });
    }
  }
  signal?.throwIfAborted();
  return { heads, damaged, notDicom };
}

const isScout = (head: SliceHead): boolean => head.imageType.includes("LOCALIZER");

/** Images by SeriesInstanceUID, in the order of series number, then UID. Objects without pixels are left out. */
export function groupSeries(heads: readonly SliceHead[]): SeriesInfo[] {
  const groups = new Map<string, SliceHead[]>();
  for (const head of heads) {
    if (head.pixelOffset === undefined) continue;
    const uid = head.seriesUid ?? "";
    const group = groups.get(uid);
    if (group) group.push(head);
    else groups.set(uid, [head]);
  }
  return [...groups]
    .map(([seriesUid, all]) => {
      const images = all.filter((head) => !isScout(head));
      const isLocalizer = images.length === 0;
      const kept = isLocalizer ? all : images;
      const first = kept[0]!;
      return {
        seriesUid,
        studyUid: first.studyUid,
        modality: first.modality ?? "",
        description: first.description,
        seriesNumber: first.seriesNumber,
        rows: first.rows,
        columns: first.columns,
        files: kept.map((head) => head.file),
        localizers: isLocalizer ? [] : all.filter(isScout).map((head) => head.file),
        isLocalizer,
      };
    })
    .sort((a, b) => (a.seriesNumber ?? 0) - (b.seriesNumber ?? 0) || (a.seriesUid < b.seriesUid ? -1 : 1));
}
