/** From requests to jobs: complete options, outputs that do not meet, and a hash of all that decides the result. */
import { isAbsolute, join, normalize, sep } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { sha256 } from "../core/digest.ts";
import { show, sinoError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { parseArraySpec } from "../data/array-files.ts";
import { canonicalJson } from "../data/dicom/uid.ts";
import { muWater70keV } from "../physics/constants.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { geometryToJson, readGeometry } from "../tomography/geometry-file.ts";
import { safeName } from "./discover.ts";
import type { JobRequest, JobSettings, PlannedJob, Task } from "./job.ts";
import { reservedNames } from "./layout.ts";
import { checkOptions } from "./list.ts";

export interface Shard {
  /** From 1. */
  index: number;
  count: number;
}

export interface PlanOptions {
  task: Task;
  out: string;
  /** For jobs that name no geometry of their own. */
  geometry?: string | undefined;
  /** Below those of each job. */
  options?: JobSettings | undefined;
}

/** Written out, so that a default that changes in another version changes the hash too. */
const defaults: Record<Task, JobSettings> = {
  mar: { method: "nmar", metalHu: 2500, minimumPixels: 3, passes: 2, muWater: muWater70keV },
  reconstruct: { filter: "ram-lak", cutoff: 1, hu: false, muWater: muWater70keV },
};

/**
 * Completes the requests. Throws ERR_SINO_OUT_OF_RANGE where two jobs have one id or one output, or an output leaves the output
 * folder; ERR_SINO_ARG_TYPE where reconstruct lacks a geometry; and what reading a geometry throws.
 */
export async function planJobs(requests: readonly JobRequest[], options: PlanOptions): Promise<PlannedJob[]> {
  const { task, out } = options;
  const shared = checkOptions(task, options.options ?? {}, "options");
  const geometries = new Map<string, { geometry: Geometry; hash: string }>();
  const jobs: PlannedJob[] = [];
  const ids = idsOf(requests, task);
  for (const [i, request] of requests.entries()) {
    const { geometry: named, origin = `job ${i + 1}` } = request;
    const id = ids[i]!;
    if (safeName(id) !== id)
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `${origin}: expected an id of letters, digits, ".", "_" and "-" but found ${show(id)}.`,
      );
    const output = outputOf(request.output ?? id, origin);
    const path = named ?? options.geometry;
    if (task === "reconstruct" && path === undefined)
      throw sinoError(
        "ERR_SINO_ARG_TYPE",
        `${origin} has no geometry. Name one for all with --geometry, or one in the list.`,
      );
    const geometry = task === "reconstruct" ? (geometries.get(path!) ?? (await load(path!))) : undefined;
    if (geometry) geometries.set(path!, geometry);
    const settings = {
      ...defaults[task],
      ...shared,
      ...checkOptions(task, request.options ?? {}, `${origin}, options`),
    };
    const part = task === "reconstruct" ? partOf(request.input) : undefined;
    const config = { task, version, options: settings, series: request.series, part, geometry: geometry?.hash };
    jobs.push({
      ...request,
      id,
      task,
      origin,
      output,
      target: join(out, output),
      options: settings,
      geometry: geometry?.geometry,
      configHash: sha256(canonicalJson(config)),
    });
    if (i % 200 === 0) await nextTurn();
  }
  checkApart(jobs);
  return jobs;
}

async function load(path: string): Promise<{ geometry: Geometry; hash: string }> {
  const geometry = await readGeometry(path);
  return { geometry, hash: sha256(canonicalJson(geometryToJson(geometry))) };
}

const baseOf = (path: string): string => path.split(sep).filter(Boolean).at(-1) ?? "root";
const stemOf = (spec: string): string => baseOf(spec.replace(/:[^:]*$/, "")).replace(/\.[^.]*$/, "");

function partOf(spec: string): string | undefined {
  try {
    return parseArraySpec(spec).part;
  } catch {
    return undefined; // the job fails with the sentence when it is read
  }
}

/** Inputs of one name get a tail that tells them apart, the same one in every run. */
function idsOf(requests: readonly JobRequest[], task: Task): string[] {
  const names = requests.map(
    ({ id, name, series, input }) => id ?? name ?? safeName(series ?? (task === "mar" ? baseOf(input) : stemOf(input))),
  );
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return requests.map(({ id, input, series = "" }, i) => {
    const name = names[i]!;
    return id !== undefined || counts.get(name) === 1 ? name : `${name}-${sha256(`${input} ${series}`).slice(0, 8)}`;
  });
}

function outputOf(given: string, origin: string): string {
  const output = normalize(given).replace(/[\\/]+$/, "");
  const parts = output.split(sep);
  if (isAbsolute(given) || parts.includes("..") || output === "." || output === "")
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `${origin}: expected an output below the output folder but found ${show(given)}.`,
    );
  if (reservedNames.includes(parts[0]!) || parts.includes(".staging"))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `${origin}: the output ${show(given)} is a name that the batch needs itself.`,
    );
  return output;
}

/** No two jobs with one id, one output, or an output inside another's. */
function checkApart(jobs: readonly PlannedJob[]): void {
  const ids = new Map<string, PlannedJob>();
  const outputs = new Map<string, PlannedJob>();
  for (const job of jobs) {
    const same = ids.get(job.id) ?? outputs.get(job.output);
    if (same)
      throw sinoError(
        "ERR_SINO_OUT_OF_RANGE",
        `Two jobs would write ${job.output}: ${same.origin} and ${job.origin}. Give each its own id or output.`,
        { details: { output: job.output } },
      );
    ids.set(job.id, job);
    outputs.set(job.output, job);
  }
  for (const job of jobs)
    for (let at = job.output.lastIndexOf(sep); at > 0; at = job.output.lastIndexOf(sep, at - 1)) {
      const outer = outputs.get(job.output.slice(0, at));
      if (outer)
        throw sinoError(
          "ERR_SINO_OUT_OF_RANGE",
          `The output of ${job.origin} (${job.output}) lies inside that of ${outer.origin} (${outer.output}). Give it another output.`,
          { details: { output: job.output } },
        );
    }
}

/** Every `count`-th job, beginning with the `index`-th. Throws ERR_SINO_OUT_OF_RANGE. */
export function shardOf<T>(jobs: readonly T[], { index, count }: Shard): T[] {
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 1 || index > count)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected a shard from 1/${count} to ${count}/${count} but received ${index}/${count}.`,
    );
  return jobs.filter((_, i) => i % count === index - 1);
}
