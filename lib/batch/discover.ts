/** Jobs that lie in folders: every CT series, or every sinogram file. Holds names only, so that a million files fit. */
import type { Dir, Dirent } from "node:fs";
import { opendir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { sha256 } from "../core/digest.ts";
import { ioError } from "../core/files.ts";
import { parseArraySpec } from "../data/array-files.ts";
import { groupSeries, readHeads } from "../data/dicom/list.ts";
import { failureOf } from "./failure.ts";
import type { JobFailure, JobRequest, Task } from "./job.ts";

export interface DiscoverOptions {
  /** A folder that is passed over: the output, which may lie among the inputs. */
  exclude?: string | undefined;
  signal?: AbortSignal | undefined;
}

interface Walking extends DiscoverOptions {
  /** Folders that have been looked at, so that inputs may overlap. */
  seen: Set<string>;
}

interface Folder {
  path: string;
  /** Names of regular files, sorted. */
  names: string[];
  problem?: JobFailure;
}

async function* entries(folder: string): AsyncGenerator<Dirent> {
  let dir: Dir | undefined;
  try {
    dir = await opendir(folder, { bufferSize: 256 });
    for await (const entry of dir) yield entry;
  } catch (error) {
    throw ioError("read", folder, error);
  }
}

/** Every folder below `root`, itself first, in the order of names. Links to folders are not followed. */
async function* walk(root: string, { exclude, signal, seen }: Walking): AsyncGenerator<Folder> {
  const left = [root];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    signal?.throwIfAborted();
    if (seen.has(path)) continue;
    seen.add(path);
    const names: string[] = [];
    const folders: string[] = [];
    try {
      for await (const entry of entries(path)) {
        const full = join(path, entry.name);
        if (entry.isDirectory()) {
          if (full !== exclude && !/^\..*\.tmp$/.test(entry.name) && entry.name !== ".staging") folders.push(full);
        } else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(full)))) names.push(entry.name);
      }
      yield { path, names: names.sort() };
    } catch (error) {
      if (path === root) throw error;
      yield { path, names: [], problem: failureOf(error) };
    }
    left.push(...folders.sort().reverse());
  }
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** Letters, digits and ._- only: good as a file name everywhere. */
export function safeName(text: string): string {
  const plain = text.replaceAll(/[^A-Za-z0-9._-]+/g, "_").replace(/^\.+/, "");
  return plain === text && text.length <= 120 && text !== ""
    ? text
    : `${plain.slice(0, 100)}-${sha256(text).slice(0, 8)}`;
}

const sinogramFile = /\.(npy|npz|h5|hdf5|nxs|mat|nii|nii\.gz|tiff?)$/i;

async function sinogramFiles(root: string, walking: Walking, jobs: JobRequest[]): Promise<void> {
  for await (const { path, names, problem } of walk(root, walking)) {
    if (problem) jobs.push(unreadable(root, path, problem));
    for (const file of names)
      if (sinogramFile.test(file)) {
        const stem = join(relative(root, path), file.replace(sinogramFile, ""));
        jobs.push({ name: safeName(flat(stem)), input: join(path, file), origin: join(path, file) });
      }
  }
}

const flat = (path: string): string => path.split(sep).join("_");

function unreadable(root: string, path: string, problem: JobFailure): JobRequest {
  const name = safeName(`unreadable_${flat(relative(root, path) || basename(root))}`);
  return { name, input: path, problem, origin: path };
}

interface Found {
  seriesUid: string;
  folders: Map<string, string[]>;
  slices: number;
  /** Rows and columns of the largest image, and the size of its pixels. */
  plane: readonly [number, number];
  pixelMm: readonly [number, number];
}

/** Heads of that many files are in memory at once. */
const headsAtOnce = 256;

/** One job per CT series, whatever folders its files lie in, in the order in which they are met. */
async function ctSeries(root: string, walking: Walking, jobs: JobRequest[], found: Map<string, Found>): Promise<void> {
  for await (const folder of walk(root, walking)) {
    if (folder.problem) jobs.push(unreadable(root, folder.path, folder.problem));
    const damaged: { file: string; error: Error }[] = [];
    let here: Found | undefined;
    for (let first = 0; first < folder.names.length; first += headsAtOnce) {
      const files = folder.names.slice(first, first + headsAtOnce).map((name) => join(folder.path, name));
      const read = await readHeads(files, { signal: walking.signal });
      damaged.push(...read.damaged);
      for (const { seriesUid, modality, isLocalizer, files: images, rows = 0, columns = 0 } of groupSeries(
        read.heads,
      )) {
        if (modality !== "CT" || isLocalizer) continue;
        here = found.get(seriesUid) ?? { seriesUid, folders: new Map(), slices: 0, plane: [0, 0], pixelMm: [1, 1] };
        found.set(seriesUid, here);
        const names = here.folders.get(folder.path) ?? [];
        here.folders.set(folder.path, names);
        names.push(...images.map((file) => basename(file)));
        here.slices += images.length;
        if (rows * columns > here.plane[0] * here.plane[1]) {
          here.plane = [rows, columns];
          const [row, column] = read.heads.find((head) => head.seriesUid === seriesUid)?.pixelSpacing ?? [];
          here.pixelMm = [row ?? 1, column ?? row ?? 1];
        }
      }
      await nextTurn();
    }
    // A damaged file says nothing of its series: with images beside it, it is one of them, and its loss is noted there.
    if (damaged.length > 0 && here) here.folders.get(folder.path)!.push(...damaged.map(({ file }) => basename(file)));
    else if (damaged[0]) jobs.push(unreadable(root, folder.path, failureOf(damaged[0].error)));
  }
}

function request({ seriesUid, folders, slices, plane, pixelMm }: Found): JobRequest {
  const input = commonFolder([...folders.keys()]);
  return {
    name: /^\d[\d.]{0,63}$/.test(seriesUid) ? seriesUid : sha256(seriesUid).slice(0, 32),
    input,
    folders,
    series: seriesUid,
    extent: { shape: [slices, ...plane], pixelMm },
    origin: `series ${seriesUid} in ${input}`,
  };
}

function commonFolder(folders: readonly string[]): string {
  let common = folders[0]!;
  while (!folders.every((folder) => folder === common || folder.startsWith(common + sep))) common = dirname(common);
  return common;
}

/**
 * Jobs for every CT series (mar) or sinogram file (reconstruct) below `paths`, or for a path itself where it is a file. Folders
 * and files that cannot be read become jobs that fail. Throws ERR_SINO_IO where a path itself cannot be read.
 */
export async function discoverJobs(
  paths: readonly string[],
  task: Task,
  options: DiscoverOptions = {},
): Promise<JobRequest[]> {
  const { exclude, signal } = options;
  const passedOver = exclude && (await realpath(exclude).catch(() => resolve(exclude)));
  const walking: Walking = { exclude: passedOver, signal, seen: new Set() };
  const jobs: JobRequest[] = [];
  const found = new Map<string, Found>();
  for (const path of paths) {
    const root = resolve(path);
    const isFolder = await stat(root).then(
      (status) => status.isDirectory(),
      async (error) => {
        if (task === "reconstruct" && (await isSpecOfFile(root))) return false;
        throw ioError("read", path, error);
      },
    );
    if (!isFolder) jobs.push({ input: root, origin: path });
    else if (task === "mar") await ctSeries(await realpath(root), walking, jobs, found);
    else await sinogramFiles(await realpath(root), walking, jobs);
  }
  return [...[...found.values()].map(request), ...jobs];
}

/** "scan.h5:/exchange/data" */
async function isSpecOfFile(spec: string): Promise<boolean> {
  try {
    return await isFile(parseArraySpec(spec).path);
  } catch {
    return false;
  }
}
