/** Job lists: one JSON object per line. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { show, sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { filters } from "../tomography/fbp.ts";
import type { JobRequest, Task } from "./job.ts";
import { nearest } from "./nearest.ts";

const positive = z.number().positive();
const count = z.int().positive();

const optionFields = {
  reconstruct: {
    filter: z.enum(filters),
    cutoff: z.number().positive().max(1),
    hu: z.boolean(),
    muWater: positive,
  },
  mar: {
    method: z.enum(["auto", "li", "nmar"]).transform((name) => (name === "auto" ? "nmar" : name)),
    metalHu: z.number(),
    minimumPixels: count,
    passes: count.max(10),
    muWater: positive,
  },
};
const text = z.string().min(1);
const jobFields = { id: text, input: text, series: text, geometry: text, output: text, options: z.looseObject({}) };
const forTask: Record<Task, readonly string[]> = {
  mar: ["id", "input", "series", "output", "options"],
  reconstruct: ["id", "input", "geometry", "output", "options"],
};

function check(
  value: Record<string, unknown>,
  fields: Record<string, z.ZodType>,
  allowed: readonly string[],
  where: string,
) {
  const result: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    if (!allowed.includes(name)) {
      const near = nearest(name, allowed);
      const hint = near ? ` Did you mean ${show(near)}?` : ` Fields are ${allowed.join(", ")}.`;
      throw sinoError("ERR_SINO_IO_FORMAT", `${where}: the field ${show(name)} is not known.${hint}`, {
        details: { field: name, ...(near ? { suggestion: near } : {}) },
      });
    }
    const checked = fields[name]!.safeParse(given);
    if (!checked.success)
      throw sinoError(
        "ERR_SINO_IO_FORMAT",
        `${where}: ${name} is ${show(given)}. ${checked.error.issues[0]!.message}.`,
        { details: { field: name } },
      );
    result[name] = checked.data;
  }
  return result;
}

/** Options of a task, from a list or a caller. Throws ERR_SINO_IO_FORMAT that suggests the right name. */
export function checkOptions(task: Task, options: object, where: string): Record<string, unknown> {
  const fields: Record<string, z.ZodType> = optionFields[task];
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return check(given, fields, Object.keys(fields), where);
}

/** Which options a task has. */
export const optionNames = (task: Task): string[] => Object.keys(optionFields[task]);

function parseLine(line: string, task: Task, folder: string, where: string): JobRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${where} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw sinoError("ERR_SINO_IO_FORMAT", `Expected an object {"input": …} in ${where} but found ${show(value)}.`);
  const job = check(value as Record<string, unknown>, jobFields, forTask[task], where) as unknown as JobRequest;
  if (job.input === undefined) throw sinoError("ERR_SINO_IO_FORMAT", `${where}: the field "input" is missing.`);
  return {
    ...job,
    input: resolve(folder, job.input),
    ...(job.geometry === undefined ? {} : { geometry: resolve(folder, job.geometry) }),
    ...(job.options ? { options: checkOptions(task, job.options, `${where}, options`) } : {}),
    origin: where,
  };
}

/**
 * Reads a job list: fields id, input, series, geometry, output, options; empty lines are passed over; paths are relative to the
 * list. Throws ERR_SINO_IO, or ERR_SINO_IO_FORMAT that names the line and, for a mistyped field, the right one.
 */
export async function readJobList(path: string, task: Task): Promise<JobRequest[]> {
  const content = await readFile(path, "utf8").catch((error) => {
    throw ioError("read", path, error);
  });
  const folder = dirname(resolve(path));
  const jobs: JobRequest[] = [];
  for (const [i, line] of content
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === "") continue;
    jobs.push(parseLine(line, task, folder, `${path} line ${i + 1}`));
    if (jobs.length % 200 === 0) await nextTurn();
  }
  if (jobs.length === 0) throw sinoError("ERR_SINO_IO_FORMAT", `${path} lists no job.`, { details: { path } });
  return jobs;
}
