/** What is said between the comparison and a contender: one line of JSON each way. bench/python/worker.py speaks it too. */
import type { Scan } from "./scans.ts";

/** What a case tells a contender; fields it does not need are absent. */
export interface CaseData extends Partial<Scan> {
  /** Shape of one slice, or of the volume where the operation takes one. */
  slice?: readonly number[];
  /** Of iterative methods. */
  iterations?: number;
  relaxation?: number;
  /** Where a series lies. */
  folder?: string;
}

export type Request =
  | { do: "describe" }
  | { do: "prepare"; operation: string; case: CaseData; input: string | undefined }
  | { do: "run"; operation: string; repeat: number }
  /** Runs once and writes the result as a batch of slices; of a very large one only the first and the last. */
  | { do: "save"; operation: string; output: string }
  /** Drops everything that was prepared. */
  | { do: "forget" };

export interface Description {
  versions?: Record<string, string>;
  missing?: string;
}

export interface Timing {
  /** Milliseconds of every repeat: on the wall, and of the process on all its threads. */
  wall: number[];
  cpu: number[];
}
