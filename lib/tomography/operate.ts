/** One native operation from images to sinograms or back, with the tables of a call or of a plan. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { type OperationOptions, runJob } from "../native/job.ts";
import { batchOf, type OutputOptions, output, sinogramShape } from "./batch.ts";
import type { FilterName } from "./fbp.ts";
import { type Geometry, nativeGeometry, requireGeometry } from "./geometry.ts";

/** Window on the ramp, and the highest frequency that passes. */
export interface FilterChoice {
  /** Window on the ramp; default "ram-lak" (none). */
  filter?: FilterName | undefined;
  /** Highest frequency that passes, as a fraction of Nyquist, above 0 up to 1; default 1. */
  cutoff?: number | undefined;
}

/** Where an operation has its geometry and filter from. */
export interface Tables {
  readonly geometry: Geometry;
  /** What the addon is told of it. */
  readonly native: object;
}

/** Tables for one call. Throws ERR_SINO_ARG_TYPE for what is no geometry. */
export function tablesOf(geometry: Geometry, { filter = "ram-lak", cutoff = 1 }: FilterChoice = {}): Tables {
  requireGeometry(geometry);
  return { geometry, native: { geometry: nativeGeometry(geometry), filter, cutoff } };
}

export type Side = "images" | "sinograms" | "filtered";

/** What an operation reads and writes: the addon's names, and for messages the input's own. */
export interface Sides {
  from: Side;
  to: Side;
  name?: string;
}

/** Runs `operation` on one slice or a batch. Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_MEMORY. */
export async function operate(
  operation: string,
  { geometry, native }: Tables,
  array: ArrayLike,
  { from, to, name = from }: Sides,
  options: OperationOptions & OutputOptions,
): Promise<Volume> {
  const shapeOf = (side: Side) => (side === "images" ? geometry.image.shape : sinogramShape(geometry));
  const meaning = from === "images" ? "rows × columns" : "views × bins";
  const { data, slices, lead } = await batchOf(array, name, shapeOf(from), meaning, options);
  const result = output([...lead, ...shapeOf(to)], options.out);
  const parameters = { device: options.device ?? "auto", slices, [from]: data, [to]: result.data, ...native };
  await runJob(operation, parameters, options);
  return result;
}
