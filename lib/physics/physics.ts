/**
 * The physics of a scan as one plain object: spectrum, tissue, metal, detector, dose. Its JSON form is checked on reading and
 * published as docs/physics.schema.json; docs/simulation.md says what every field does.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { nearest } from "../batch/nearest.ts";
import { type CodedError, isCodedError, show, sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { fieldReferenceKeV, muWater70keV } from "./constants.ts";
import { type Material, materialNames, materialOf } from "./materials.ts";
import { kVp120, makeSpectrum, type Spectrum, spectrumOf } from "./spectrum.ts";
import { tungstenSpectrum } from "./tungsten.ts";
import { fieldWaterCorrection, fitWaterCorrection } from "./water-correction.ts";

const positive = z.number().positive();
const share = z.number().min(0).max(1);
const numbers = z.array(z.number());

const spectrumSchema = z
  .union([
    z
      .string()
      .describe('"120kVp" (the table of the field\'s pairs), or another voltage by formula, "80kVp" to "150kVp"'),
    z.strictObject({
      kVp: z.number().describe("tube voltage, 40 to 150"),
      angleDeg: positive.optional().describe("angle of the anode; default 10"),
      filters: z.record(z.string(), z.number()).optional().describe('mm by material; default {"aluminium": 6}'),
    }),
    z.strictObject({
      name: z.string().optional(),
      energiesKeV: numbers.describe("bin centres, keV, rising"),
      photons: numbers.describe("photons per bin, any scale"),
      source: z.string().optional(),
    }),
  ])
  .describe('default "120kVp"');

const materialSchema = z.union([
  z.string().describe(`one of ${materialNames.join(", ")}`),
  z.strictObject({
    name: z.string(),
    density: z.number().describe("g/cm³"),
    energiesKeV: numbers.describe("rising; twice the same at an absorption edge"),
    massAttenuation: numbers.describe("cm²/g with coherent scattering, one per energy"),
  }),
]);

export const physicsSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().optional(),
  description: z.string().optional(),
  spectrum: spectrumSchema.optional(),
  referenceKeV: positive.optional().describe("energy whose attenuation images show, keV; default 70"),
  muWater: positive.optional().describe("attenuation of water in images, 1/mm; default 0.0192"),
  tissue: z
    .strictObject({
      lowHu: z.number().optional().describe("all water below; default 100"),
      highHu: z.number().optional().describe("all bone above; default 1500"),
    })
    .optional()
    .describe("soft split of images into water and bone"),
  metal: z
    .strictObject({
      material: materialSchema.optional().describe('default "titanium"'),
      density: z.number().optional().describe("g/cm³; default nominal"),
      edge: z
        .enum(["div4", "subray", "none"])
        .optional()
        .describe(
          'rays that graze metal: "div4" (default with one ray per bin), a quarter of their path, as in the field\'s pairs; "subray" (default else), the mean intensity of several rays through a smooth outline on a finer grid; "none", their path',
        ),
      tissue: z
        .enum(["kept", "replaced"])
        .optional()
        .describe('tissue where metal is; default "replaced" with edge "subray", else "kept" as in the field\'s pairs'),
      supersample: z
        .int()
        .min(1)
        .max(16)
        .optional()
        .describe('pixels per image pixel and axis, with edge "subray"; default 3'),
    })
    .optional(),
  rays: z
    .strictObject({
      perBin: z.int().min(1).max(16).optional().describe('rays per bin; default 3 with edge "subray", else 1'),
      focalSpotMm: z.number().min(0).optional().describe("width of the focal spot; default 0"),
      perFocalSpot: z
        .int()
        .min(1)
        .max(16)
        .optional()
        .describe("rays across the focal spot; default 3 where it has a width"),
      perView: z.int().min(1).max(16).optional().describe("rays over the turn during one view; default 1"),
    })
    .optional()
    .describe("rays whose intensities are averaged"),
  bowtie: z
    .strictObject({
      material: materialSchema.optional().describe('default "aluminium"'),
      centreMm: z.number().min(0).optional().describe("thickness on the middle ray; default 0"),
      edgeMm: z.number().min(0).describe("thickness on the outermost ray; between them it grows with the square"),
    })
    .optional()
    .describe("a filter that is thicker towards the edge of the fan"),
  crosstalk: z
    .number()
    .min(0)
    .max(0.5)
    .optional()
    .describe("share of a bin's signal that goes to its two neighbours; default 0"),
  scatter: z
    .strictObject({
      photons: z.number().min(0).optional().describe("counted by every bin, noise included; default 20"),
      constant: share.optional().describe("the same everywhere, as a share of the unattenuated beam; default 0"),
      fraction: share.optional().describe("of the smoothed signal, added to it; default 0"),
      sigmaMm: positive.optional().describe("of the smooth kernel, on the detector (its arc); default 30"),
    })
    .optional(),
  photons: z
    .number()
    .min(1)
    .max(1e15)
    .nullable()
    .optional()
    .describe("per ray without an object; null for neither noise nor scattered photons; default 2e7"),
  electronicNoise: z.number().min(0).optional().describe("standard deviation, photons; default 0"),
  dose: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe("fraction of the dose; the missing noise is added to the full dose's scan; default 1"),
  quarterShift: z.boolean().optional().describe("move the detector by a quarter of a bin; default false"),
  waterCorrection: z
    .union([
      numbers.min(1).max(8).describe("coefficients of p, p², …"),
      z.strictObject({
        order: z.int().min(1).max(8).optional().describe("default 3"),
        longestMm: positive.optional().describe("of water; default 500"),
      }),
      z.literal("none"),
    ])
    .optional()
    .describe("default a cubic fitted to the spectrum over 500 mm"),
});

/** The JSON form: everything optional. */
export type PhysicsJson = z.infer<typeof physicsSchema>;

/** How rays that graze metal are modelled; docs/simulation.md. */
export type SimulatedEdge = "div4" | "subray" | "none";

export interface Physics {
  name: string;
  spectrum: Spectrum;
  /** Energy whose attenuation images show, keV. */
  referenceKeV: number;
  /** Attenuation of water in images, 1/mm. */
  muWater: number;
  tissue: { lowHu: number; highHu: number };
  metal: {
    material: Material;
    /** g/cm³ */
    density: number;
    edge: SimulatedEdge;
    tissue: "kept" | "replaced";
    supersample: number;
  };
  rays: { perBin: number; focalSpotMm: number; perFocalSpot: number; perView: number };
  bowtie?: { material: Material; centreMm: number; edgeMm: number };
  /** Share of a bin's signal that goes to its two neighbours. */
  crosstalk: number;
  scatter: { photons: number; constant: number; fraction: number; sigmaMm: number };
  /** Per ray without an object; Infinity for no noise. */
  photons: number;
  electronicNoise: number;
  dose: number;
  quarterShift: boolean;
  /** Coefficients of p, p², …; [1] for none. */
  waterCorrection: readonly number[];
}

/** The published JSON Schema. */
export function physicsJsonSchema(): object {
  return z.toJSONSchema(physicsSchema, { target: "draft-2020-12" });
}

function spectrumFrom(json: PhysicsJson["spectrum"]): Spectrum {
  if (json === undefined) return kVp120;
  if (typeof json === "string") return spectrumOf(json);
  if ("kVp" in json) return tungstenSpectrum(json);
  const { name, energiesKeV, photons, source } = json;
  return makeSpectrum({ energiesKeV, photons, ...(name ? { name } : {}), ...(source ? { source } : {}) });
}

function waterCorrectionFrom(json: PhysicsJson["waterCorrection"], spectrum: Spectrum, referenceKeV: number) {
  if (json === "none") return [1];
  if (Array.isArray(json)) return json;
  if (json === undefined && spectrum === kVp120 && referenceKeV === fieldReferenceKeV) return fieldWaterCorrection;
  const { order = 3, longestMm = 500 } = json ?? {};
  return fitWaterCorrection(spectrum, { order, longestMm, referenceKeV });
}

/** Fills in the defaults. Throws ERR_SINO_OUT_OF_RANGE with a sentence about the field. */
function physicsFrom(json: PhysicsJson): Physics {
  const { referenceKeV = fieldReferenceKeV, muWater = muWater70keV, metal = {}, rays = {}, scatter = {} } = json;
  const spectrum = spectrumFrom(json.spectrum);
  const material = materialOf(metal.material ?? "titanium");
  const density = metal.density ?? material.density;
  if (!(density > 0))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a positive density in g/cm³ but received ${show(density)}.`);
  const { lowHu = 100, highHu = 1500 } = json.tissue ?? {};
  if (!(highHu > lowHu))
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      `Expected tissue.highHu above tissue.lowHu but received ${highHu} and ${lowHu}.`,
    );
  const { focalSpotMm = 0 } = rays;
  const isSeveral = focalSpotMm > 0 || (rays.perBin ?? 1) > 1 || (rays.perView ?? 1) > 1;
  const { edge = isSeveral ? "subray" : "div4" } = metal;
  const isSubray = edge === "subray";
  if (edge === "div4" && isSeveral)
    throw sinoError(
      "ERR_SINO_OUT_OF_RANGE",
      'Edge "div4" stands for partial volume and goes with a single ray per bin: choose "subray", or leave rays out.',
    );
  const { bowtie } = json;
  const photons = json.photons === null ? Number.POSITIVE_INFINITY : (json.photons ?? 2e7);
  const { dose = 1 } = json;
  if (dose < 1 && !Number.isFinite(photons))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", "A fraction of the dose needs photons: a scan without noise has no dose.");
  return {
    name: json.name ?? "custom",
    spectrum,
    referenceKeV,
    muWater,
    tissue: { lowHu, highHu },
    metal: {
      material,
      density,
      edge,
      tissue: metal.tissue ?? (isSubray ? "replaced" : "kept"),
      supersample: isSubray ? (metal.supersample ?? 3) : 1,
    },
    rays: {
      perBin: rays.perBin ?? (isSubray ? 3 : 1),
      focalSpotMm,
      perFocalSpot: focalSpotMm > 0 ? (rays.perFocalSpot ?? 3) : 1,
      perView: rays.perView ?? 1,
    },
    ...(bowtie
      ? {
          bowtie: {
            material: materialOf(bowtie.material ?? "aluminium"),
            centreMm: bowtie.centreMm ?? 0,
            edgeMm: bowtie.edgeMm,
          },
        }
      : {}),
    crosstalk: json.crosstalk ?? 0,
    scatter: {
      photons: scatter.photons ?? 20,
      constant: scatter.constant ?? 0,
      fraction: scatter.fraction ?? 0,
      sigmaMm: scatter.sigmaMm ?? 30,
    },
    photons,
    electronicNoise: json.electronicNoise ?? 0,
    dose,
    quarterShift: json.quarterShift ?? false,
    waterCorrection: waterCorrectionFrom(json.waterCorrection, spectrum, referenceKeV),
  };
}

/** zod's sentence, with the nearest known name where a field is misspelt. */
function sentenceOf(issue: z.core.$ZodIssue): string {
  const where = issue.path.length > 0 ? issue.path.join(".") : "the top level";
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const near = unknown && issue.path.length === 0 ? nearest(unknown, Object.keys(physicsSchema.shape)) : undefined;
  return `at ${where}: ${issue.message}.${near ? ` Did you mean ${near}?` : ""}`;
}

/**
 * Checks parsed JSON and fills in the defaults. Throws ERR_SINO_IO_FORMAT that names the field; `source` is the file's name for the
 * sentence.
 *
 * @example
 * const physics = parsePhysics({ spectrum: { kVp: 100 }, metal: { material: "cocr", edge: "subray" }, photons: 1e6 });
 */
export function parsePhysics(json: unknown, source = "physics"): Physics {
  const checked = physicsSchema.safeParse(json);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    throw sinoError("ERR_SINO_IO_FORMAT", `${source} is not the physics of a scan: ${sentenceOf(issue)}`, {
      details: { path: issue.path },
    });
  }
  try {
    return physicsFrom(checked.data);
  } catch (error) {
    if (!isCodedError(error)) throw error;
    const { message, details } = error as CodedError;
    throw sinoError("ERR_SINO_IO_FORMAT", `${source} is not the physics of a scan: ${message}`, {
      cause: error,
      ...(details ? { details } : {}),
    });
  }
}

/** Reads a physics file. Throws ERR_SINO_IO or ERR_SINO_IO_FORMAT. */
export async function readPhysics(path: string): Promise<Physics> {
  const text = await readFile(path, "utf8").catch((error) => {
    throw ioError("read", path, error);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw sinoError("ERR_SINO_IO_FORMAT", `${path} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
  return parsePhysics(json, path);
}

function materialToJson(material: Material): z.infer<typeof materialSchema> {
  if ((materialNames as readonly string[]).includes(material.name) && materialOf(material.name) === material)
    return material.name;
  const { name, density, energiesKeV, massAttenuation } = material;
  return { name, density, energiesKeV: Array.from(energiesKeV), massAttenuation: Array.from(massAttenuation) };
}

/** The JSON form with nothing left to defaults; spectra and materials of one's own as tables. */
export function physicsToJson(physics: Physics): PhysicsJson {
  const { spectrum, metal, bowtie, photons, ...rest } = physics;
  const { name, energiesKeV, photons: counts, source } = spectrum;
  return {
    ...rest,
    spectrum:
      spectrum === kVp120
        ? name
        : { name, energiesKeV: Array.from(energiesKeV), photons: Array.from(counts), ...(source ? { source } : {}) },
    metal: { ...metal, material: materialToJson(metal.material) },
    ...(bowtie ? { bowtie: { ...bowtie, material: materialToJson(bowtie.material) } } : {}),
    photons: Number.isFinite(photons) ? photons : null,
    waterCorrection: [...physics.waterCorrection],
  };
}

/** Keys in order and nine digits, so that equal objects have equal texts on every machine. */
function canonical(value: unknown): unknown {
  if (typeof value === "number") return Number(value.toPrecision(9));
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, canonical(inner)]),
  );
}

/** A short name of plain JSON: the first 16 digits of its SHA-256, whatever the order of keys. */
export function jsonHash(json: object): string {
  return createHash("sha256")
    .update(JSON.stringify(canonical(json)))
    .digest("hex")
    .slice(0, 16);
}

/** A short name of this physics, its own name left out. */
export function physicsHash(physics: Physics): string {
  const { name: _, ...values } = physicsToJson(physics);
  return jsonHash(values);
}
