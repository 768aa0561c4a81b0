/** What a task gets from the batch, and what it gives back. */
import type { Device } from "../native/job.ts";
import type { Checksum } from "./checksum.ts";
import type { Share } from "./gate.ts";
import type { PlannedJob, Seconds } from "./job.ts";
import type { DoneRecord } from "./result.ts";

export interface WorkContext {
  signal: AbortSignal;
  device: Device;
  /** Waits until that many bytes of the batch's memory are free; `inTurn` is what is needed only while computing. */
  reserve(bytes: Share): Promise<void>;
  /** Runs a step while no other job computes: the native threads use all processors for one. */
  computing<T>(step: () => Promise<T>): Promise<T>;
  /** Runs a step and notes how long it took. */
  timed<T>(name: string, step: () => Promise<T>): Promise<T>;
  /** Makes the outputs in a new folder, adds done.json, and puts the folder in place. */
  commit(outputs: (folder: string) => Promise<DoneDetails>): Promise<void>;
}

/** The part of done.json that a task knows. */
export interface DoneDetails {
  inputFiles: readonly string[];
  /** XXH64 of those input files that were read whole. */
  inputChecksums?: ReadonlyMap<string, string>;
  /** Of those outputs, by name, whose bytes were at hand; of the others the files are read. */
  outputs?: Readonly<Record<string, Checksum>>;
  slices: number;
  warnings: readonly string[];
  details: object;
}

export type Work = (job: PlannedJob, context: WorkContext) => Promise<void>;

export interface WorkResult {
  done: Pick<DoneRecord, "slices" | "warnings">;
  seconds: Seconds;
}
