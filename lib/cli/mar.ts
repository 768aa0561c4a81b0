/** `sinogram mar`: which of its three ways in a command line asks for. */
import { stat } from "node:fs/promises";
import { ioError } from "../core/files.ts";
import type { Anatomy, ChainSampler, DiffusionStart, Fusion, WeightMask } from "../mar/diffusion/index.ts";
import type { MarMethod } from "../mar/sinogram.ts";
import type { Precision } from "../models/trained.ts";
import type { FilterName } from "../tomography/fbp.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./failure.ts";

export interface MarOptions {
  output: string;
  /** "polychromatic" and what "auto" makes of it need a measured sinogram; for images "auto" is NMAR. */
  method: MarMethod | "polychromatic" | "auto" | "diffusion";
  model?: string;
  precision?: Precision;
  steps?: number;
  start?: DiffusionStart;
  anatomy?: Anatomy;
  strength?: number;
  sampler?: ChainSampler;
  weightMask?: WeightMask;
  fusion?: Fusion;
  seed?: number;
  metalHu?: number;
  minimumPixels?: number;
  metalModel?: string;
  passes?: number;
  muWater?: number;
  series?: string;
  all?: boolean;
  pixelMm?: [number, number];
  sinogram?: string;
  metalMask?: string;
  geometry?: string;
  physics?: string;
  filter?: FilterName;
  cutoff?: number;
  reinsert?: boolean;
  report?: boolean;
  overwrite?: boolean;
}

export type ImageMarOptions = MarOptions & { method: MarMethod | "diffusion"; guarded?: true };

const flagOf = (name: string): string => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function refuse(given: MarOptions, names: readonly (keyof MarOptions)[], why: string): void {
  const found = names.find((name) => given[name] !== undefined);
  if (found) throw new UsageError(`${flagOf(found)} ${why}.`);
}

const forSinograms = ["metalMask", "geometry", "physics", "filter", "cutoff", "reinsert"] as const;
const forReplacement = ["passes", "filter", "cutoff", "muWater"] as const;
const forImages = ["metalHu", "minimumPixels", "metalModel", "pixelMm"] as const;
const forSeries = ["series", "all", "overwrite"] as const;

/** `--model none` with `--method auto`: physics alone. */
export const noModel = "none";

const forDiffusion = [
  "model",
  "precision",
  "steps",
  "start",
  "anatomy",
  "strength",
  "sampler",
  "weightMask",
  "fusion",
  "seed",
] as const;

function checkDiffusion(given: MarOptions): void {
  const { method, sinogram, model } = given;
  const isAuto = method === "auto" && sinogram !== undefined;
  if (given.strength !== undefined)
    refuse(given, ["anatomy"], "says how much noise the start gets, and so does --strength: give one of them");
  if (method !== "diffusion") {
    refuse(given, isAuto ? ["start"] : forDiffusion, "is for --method diffusion");
    const others = forDiffusion.filter((name) => name !== "model");
    if (model === noModel) refuse(given, others, "is for a network, which --model none leaves out");
    return;
  }
  refuse(given, ["passes", "filter", "cutoff"], "is not for --method diffusion");
  if (given.start === "noise")
    refuse(given, ["anatomy", "strength"], "is for chains that start from an image, not for --start noise");
  if (given.sinogram === undefined && given.start === "polychromatic")
    throw new UsageError("--start polychromatic inverts measured rays and needs --sinogram; an image has none.");
}

/** Water is a part of the physics that polychromatic inversion is told. */
function checkPhysics(given: MarOptions): void {
  if (given.start === "polychromatic") refuse(given, ["muWater"], "is what --physics says with --start polychromatic");
}

function forImage(given: MarOptions): ImageMarOptions {
  const { method } = given;
  if (method === "polychromatic")
    throw new UsageError(
      "--method polychromatic inverts measured rays and needs --sinogram; an image has none. Use nmar or auto.",
    );
  return method === "auto" ? { ...given, method: "nmar", guarded: true } : { ...given, method };
}

export function mar(input: string | undefined, given: MarOptions): Command {
  return async (run) => {
    checkDiffusion(given);
    if (given.sinogram !== undefined) {
      if (input !== undefined) throw new UsageError(`Give either ${input} or --sinogram, not both.`);
      refuse(given, [...forImages, ...forSeries], "is for images, not for --sinogram");
      const { sinogram, geometry, method } = given;
      if (geometry === undefined) throw new UsageError("--sinogram needs --geometry too.");
      const isInverted = method === "polychromatic" || method === "auto";
      if (isInverted) refuse(given, forReplacement, `is for --method li and nmar, not for ${method}`);
      else if (method === "diffusion") checkPhysics(given);
      else refuse(given, ["physics"], "is for --method polychromatic and auto");
      const { marOfSinogram } = await import("./mar-sinogram.ts");
      return marOfSinogram({ ...given, sinogram, geometry })(run);
    }
    if (input === undefined)
      throw new UsageError("Give a DICOM folder, an image file, or --sinogram with its geometry.");
    refuse(given, forSinograms, "is for measured sinograms and needs --sinogram");
    if (/\.(npy|npz|nii|nii\.gz|hdr|img|raw|f32|mat|h5|hdf5|tiff?|png)(:[^/]*)?$/i.test(input)) {
      refuse(given, forSeries, "is for DICOM folders");
      return (await import("./mar-images.ts")).marOfImages(input, forImage(given))(run);
    }
    await stat(input).catch((error) => {
      throw ioError("read", input, error);
    });
    refuse(given, ["pixelMm"], "is for image files; DICOM says its own pixel size");
    if (given.all && given.series !== undefined) throw new UsageError("Give either --series or --all, not both.");
    return (await import("./mar-series.ts")).marOfSeries(input, forImage(given))(run);
  };
}
