/** What one job of a batch is: one series or one sinogram file in, one folder out. */

import type { MarMethod } from "../mar/sinogram.ts";
import type { FilterName } from "../tomography/fbp.ts";
import type { Geometry } from "../tomography/geometry.ts";

export type Task = "reconstruct" | "mar";

/** What the memory depends on that a series takes. */
export interface SeriesExtent {
  shape: readonly [slices: number, rows: number, columns: number];
  pixelMm: readonly [row: number, column: number];
}

export interface ReconstructOptions {
  filter?: FilterName | undefined;
  cutoff?: number | undefined;
  /** Write HU instead of 1/mm. */
  hu?: boolean | undefined;
  muWater?: number | undefined;
}

export interface MarJobOptions {
  method?: MarMethod | undefined;
  metalHu?: number | undefined;
  minimumPixels?: number | undefined;
  passes?: number | undefined;
  muWater?: number | undefined;
}

export type JobSettings = ReconstructOptions & MarJobOptions;

/** A job as a list or a folder gives it. */
export interface JobRequest {
  /** Names it in reports and, unless `output` does, its folder; default the series UID or the file's name. */
  id?: string | undefined;
  /** The default id, where discovery knows a better one than the input's name. */
  name?: string | undefined;
  /** A DICOM folder or file (mar), a sinogram file as "scan.h5:/exchange/data" (reconstruct). */
  input: string;
  /** The files of the series, where discovery has found them: names by folder. */
  folders?: ReadonlyMap<string, readonly string[]> | undefined;
  /** SeriesInstanceUID, where the input holds several. */
  series?: string | undefined;
  /** Geometry file, for reconstruct. */
  geometry?: string | undefined;
  /** Folder of the results, relative to the batch's output folder. */
  output?: string | undefined;
  options?: JobSettings | undefined;
  /** Where the request stands, for error sentences: "jobs.jsonl line 3". */
  origin?: string | undefined;
  /** How large the series is, where that is known. */
  extent?: SeriesExtent | undefined;
  /** Why it cannot be read; it fails with this when its turn comes. */
  problem?: { code: string; message: string } | undefined;
}

/** A job with everything that its result depends on. Plain data: it is sent to a thread. */
export interface PlannedJob extends Omit<JobRequest, "geometry"> {
  id: string;
  task: Task;
  /** Folder of the results, absolute. */
  target: string;
  output: string;
  options: JobSettings;
  geometry?: Geometry | undefined;
  /** SHA-256 of task, version, options, geometry: equal hashes and equal inputs give equal outputs. */
  configHash: string;
}

/** An error as a report keeps it, and as threads hand it over. */
export interface JobFailure {
  code: string;
  message: string;
  details?: Record<string, unknown> | undefined;
}

/** Seconds a job spent in each of its steps. */
export type Seconds = Record<string, number>;
