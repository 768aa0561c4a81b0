/** Geometry as JSON: one schema, checked on reading and published as docs/geometry.schema.json. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { sinoError } from "../core/errors.ts";
import { ioError, writeFileAtomic } from "../core/files.ts";
import { fanBeam, type Geometry, type ImageGrid, parallelBeam } from "./geometry.ts";

const positive = z.number().positive();
const pair = z.tuple([positive, positive]);

const common = {
  $schema: z.string().optional(),
  name: z.string().optional(),
  description: z.string().optional(),
  bins: z.int().positive().describe("detector bins"),
  offsetBins: z
    .number()
    .optional()
    .describe("bin hit by the ray through the rotation axis, minus (bins − 1)/2; default 0"),
  angles: z
    .union([
      z.array(z.number()).min(1).describe("degrees, one per view, any order"),
      z.strictObject({
        start: z.number().optional().describe("degrees, default 0"),
        span: z.number().describe("degrees covered; steps of span/count"),
        count: z.int().positive().describe("views"),
        cellCentred: z.boolean().optional().describe("begin half a step in; default false"),
      }),
    ])
    .describe("view angles"),
  image: z.strictObject({
    shape: z.tuple([z.int().positive(), z.int().positive()]).describe("rows, columns"),
    pixelMm: z.union([positive, pair]).describe("mm, one number or [row spacing, column spacing]"),
    centreMm: z
      .tuple([z.number(), z.number()])
      .optional()
      .describe("middle of the image: x to the right, y up; default [0, 0]"),
  }),
};

export const geometrySchema = z.discriminatedUnion("beam", [
  z.strictObject({
    ...common,
    beam: z.literal("parallel"),
    binMm: z.number().describe("bin pitch, mm; negative runs the bins the other way"),
  }),
  z.strictObject({
    ...common,
    beam: z.literal("fan"),
    detector: z.enum(["flat", "arc"]),
    sod: positive.describe("source to rotation axis, mm"),
    sdd: positive.describe("source to detector, mm"),
    binMm: z.number().optional().describe("bin pitch on the detector, mm; negative runs the bins the other way"),
    binDeg: z.number().optional().describe("bin pitch of an arc detector seen from the source, degrees"),
  }),
]);

/** The published JSON Schema. */
export function geometryJsonSchema(): object {
  return z.toJSONSchema(geometrySchema, { target: "draft-2020-12" });
}

/** Checks parsed JSON. Throws ERR_SINO_IO_FORMAT that names the field; `source` is the file's name for the sentence. */
export function parseGeometry(json: unknown, source = "geometry"): Geometry {
  const checked = geometrySchema.safeParse(json);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    const where = issue.path.length > 0 ? issue.path.join(".") : "the top level";
    throw sinoError("ERR_SINO_IO_FORMAT", `${source} is not a geometry: at ${where}: ${issue.message}.`, {
      details: { path: issue.path },
    });
  }
  const { $schema: _schema, description: _description, beam, ...fields } = checked.data;
  // exactOptionalPropertyTypes: JSON has no undefined, so optional fields are either there or absent
  return beam === "parallel" ? parallelBeam(fields as never) : fanBeam(fields as never);
}

/** Reads a geometry file. Throws ERR_SINO_IO or ERR_SINO_IO_FORMAT. */
export async function readGeometry(path: string): Promise<Geometry> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw ioError("read", path, error);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${path} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
  return parseGeometry(json, path);
}

/** A geometry as plain JSON; angles as a list. */
export function geometryToJson(geometry: Geometry): object {
  const { angles, image, ...rest } = geometry;
  return { ...rest, angles: Array.from(angles), image: image satisfies ImageGrid };
}

export async function writeGeometry(path: string, geometry: Geometry): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(geometryToJson(geometry), null, 2)}\n`);
}
