/** `sinogram mar --sinogram`: a measured sinogram, with a mask of its metal or without. */
import { dirname, join } from "node:path";
import { type ArrayLike, sizeOf, type TypedArray, type Volume } from "../core/arrays.ts";
import { isCodedError, sinoError } from "../core/errors.ts";
import { dilate } from "../image/morphology.ts";
import { statistics } from "../image/pixels.ts";
import { diffusionMar } from "../mar/diffusion/index.ts";
import { findMetalInSinograms } from "../mar/metal.ts";
import { marPhysics } from "../mar/physics.ts";
import { polychromaticMar } from "../mar/polychromatic.ts";
import { correctSinogram, reinsertMetal } from "../mar/sinogram.ts";
import { muWater70keV } from "../physics/constants.ts";
import { readPhysics } from "../physics/physics.ts";
import { type ReportTable, writeReport } from "../report/report.ts";
import { fbp } from "../tomography/fbp.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { readGeometry } from "../tomography/geometry-file.ts";
import {
  type Command,
  checkOutputFormat,
  huOfMu,
  jobOptions,
  load,
  quietly,
  type Run,
  requirePlanes,
  sizes,
  timed,
} from "./command.ts";
import { type MarOptions, noModel } from "./mar.ts";
import { chainOf, diffusionDetails, exitOf, warnOfFailures, withPrior } from "./mar-diffusion.ts";
import { diffusionFacts } from "./mar-images.ts";
import { describeGeometry, methodNames, outcomeText, verdictTable, verdictText } from "./mar-words.ts";
import { checkFileTarget, checkReportTargets, withFileOutputs } from "./outputs.ts";
import { warnOfMissingViews } from "./reconstruct.ts";
import { recordText, sidecarPath } from "./sidecar.ts";

type Given = MarOptions & { sinogram: string; geometry: string };
type Planes = Volume<TypedArray>;

/** What a method made, and what there is to say of it. */
interface Corrected {
  images: Volume;
  /** Where metal was taken to be. */
  metal: ArrayLike;
  muWater: number;
  /** For the record. */
  details: Record<string, unknown>;
  /** For the report. */
  facts: [label: string, value: string][];
  tables: ReportTable[];
  note: string;
  /** Of the slices, in a few words. */
  said?: string;
  /** Exit code, where it is not 0. */
  code?: number;
}

export function marOfSinogram(given: Given): Command {
  return async (run) => {
    const { output, method, metalMask: maskFile } = given;
    const target = checkOutputFormat(output);
    const physicsFile = given.physics === "auto" ? undefined : given.physics;
    const inputs = [given.sinogram, maskFile, given.geometry, physicsFile].filter((path) => path !== undefined);
    await checkFileTarget(target, inputs);
    if (given.report) await checkReportTargets(target, inputs);
    const geometry = await readGeometry(given.geometry);
    const [sinograms, reading] = await timed(async () =>
      requirePlanes(await load(given.sinogram, run), "a sinogram [view, bin]"),
    );
    const mask = maskFile === undefined ? undefined : requirePlanes(await load(maskFile, run), "a mask [row, column]");
    if (mask) await checkMask(mask, maskFile!, run);
    warnOfMissingViews(geometry, run);
    const [corrected, computing] = await timed(() => corrections[method](sinograms, mask, geometry, given, run));
    const { metal, muWater } = corrected;
    const { filter = "ram-lak", cutoff = 1 } = given;
    const needsBefore = given.reinsert || given.report;
    const before = needsBefore ? await fbp(sinograms, geometry, { ...jobOptions(run), filter, cutoff }) : undefined;
    const withMetal = before ? await reinsertMetal(corrected.images, before, metal, quietly(run)) : undefined;
    const images = given.reinsert ? withMetal! : corrected.images;

    const paths = await withFileOutputs(run.signal, async (outputs) => {
      const [, writing] = await timed(() => outputs.array(output, images));
      const text = recordText(
        {
          command: "mar",
          unit: "1/mm",
          inputs: {
            sinogram: given.sinogram,
            ...(maskFile && { metalMask: maskFile }),
            geometry: given.geometry,
            ...(given.physics && { physics: given.physics }),
          },
          outputs: [output],
          geometry,
          details: { method, muWater, ...corrected.details, filter, cutoff, reinsert: given.reinsert ?? false },
          seconds: { reading, computing, writing },
        },
        run,
      );
      await outputs.file(await sidecarPath(target, inputs), text);
      if (before && given.report)
        await writeReport(
          {
            title: `Metal artefact reduction: ${methodNames[method]}`,
            layers: [
              { name: "Uncorrected", hu: await huOfMu(before, muWater, run) },
              { name: method.toUpperCase(), hu: await huOfMu(withMetal!, muWater, run) },
            ],
            metal,
            pixelMm: geometry.image.pixelMm,
            seconds: computing,
            facts: [
              ["Method", methodNames[method]],
              ["Input", given.sinogram],
              ["Metal", maskFile ?? "found by threshold in the uncorrected image"],
              ["Geometry", describeGeometry(geometry)],
              ["µ of water", `${muWater} 1/mm`],
              ["Filter", `${filter}, cut-off ${cutoff}`],
              ...corrected.facts,
            ],
            tables: corrected.tables,
            notes: [
              `${corrected.note} The images here have the metal of the uncorrected reconstruction put back` +
                (given.reinsert ? "." : `; ${output} has not.`),
            ],
            warnings: run.console.warnings,
          },
          quietly(run),
          (name, ...chunks) => outputs.file(join(dirname(target), name), ...chunks),
        );
    });
    const said = corrected.said ? `, ${corrected.said}` : "";
    run.console.log(
      `${output}: ${sizes(images.shape)}, 1/mm, ${method.toUpperCase()}${said}, ${computing.toFixed(2)} s`,
    );
    for (const path of paths.slice(2)) run.console.log(path);
    await run.console.result({
      output,
      files: paths,
      shape: images.shape,
      unit: "1/mm",
      method,
      muWater,
      ...corrected.details,
      seconds: computing,
      warnings: run.console.warnings,
    });
    return corrected.code ?? 0;
  };
}

const noMetal = "No metal was found at or above 3000 HU, so this is the plain reconstruction.";

type Correct = (
  sinograms: Planes,
  metalMask: Planes | undefined,
  geometry: Geometry,
  given: Given,
  run: Run,
) => Promise<Corrected>;

/** LI and NMAR: what was measured behind metal is replaced. */
const replaceTrace: Correct = async (sinograms, mask, geometry, given, run) => {
  const { method, muWater = muWater70keV, passes, filter = "ram-lak", cutoff = 1 } = given;
  if (method !== "li" && method !== "nmar") throw new TypeError(method);
  const metalMask = mask ?? (await foundMetal(sinograms, geometry, muWater, run));
  const options = { ...jobOptions(run), method, muWater, filter, cutoff, passes };
  const { images, fullViews } = await correctSinogram(sinograms, { metalMask }, geometry, options);
  if (fullViews > 0)
    run.console.warn(`In ${fullViews} views metal covers every ray; they were filled from their neighbours.`);
  return {
    images,
    metal: metalMask,
    muWater,
    details: { passes: passes ?? 1 },
    facts: [],
    tables: [],
    note: "Measured sinogram: the rays through metal were replaced, all others are as measured.",
  };
};

/** The metal that the sinograms show and a pixel around it. */
async function foundMetal(sinograms: Planes, geometry: Geometry, muWater: number, run: Run): Promise<ArrayLike> {
  const metal = await findMetalInSinograms(sinograms, geometry, { ...quietly(run), muWater });
  const { maximum } = await statistics(metal, quietly(run));
  if (maximum === 0) run.console.warn(noMetal);
  return dilate(metal, { radius: 1, ...quietly(run) });
}

/** Polychromatic inversion: what was measured behind metal is used. */
const invertPhysics: Correct = async (sinograms, metalMask, geometry, given, run) => {
  const { method, physics: file = "auto" } = given;
  const physics = marPhysics(file === "auto" ? "auto" : await readPhysics(file));
  const options = { ...jobOptions(run), metalMask, physics, guarded: method === "auto" };
  const { images, metal, slices } = await polychromaticMar(sinograms, geometry, options);
  if (slices.every(({ verdict }) => verdict === "none")) run.console.warn(noMetal);
  return {
    images,
    metal,
    muWater: physics.muWater,
    details: { physics: file, spectrum: physics.spectrum.name, slices },
    facts: [
      ["Physics", file === "auto" ? "the field's 120 kVp; metal, density and edge model found" : file],
      ["Verdict", verdictText(slices)],
    ],
    tables: [verdictTable(slices)],
    said: verdictText(slices),
    note: "Measured sinogram: the rays through metal were inverted for the tissue behind it, and all rays made monochromatic.",
  };
};

/** Polychromatic inversion, and a network for what it leaves open; inversion alone where no network fits. */
const invertAndDiffuse: Correct = async (sinograms, metalMask, geometry, given, run) => {
  if (given.model === noModel) return invertPhysics(sinograms, metalMask, geometry, given, run);
  try {
    return await diffuse(sinograms, metalMask, geometry, { ...given, start: "polychromatic" }, run);
  } catch (error) {
    if (given.model !== undefined || !isCodedError(error) || !withoutNetwork.has(error.code)) throw error;
    run.console.warn(`The physics works alone, without a network. ${error.message}`);
    return invertPhysics(sinograms, metalMask, geometry, given, run);
  }
};

/** No network for these images, or none can run here: onnxruntime is an optional package. */
const withoutNetwork: ReadonlySet<string> = new Set([
  "ERR_SINO_MODEL",
  "ERR_SINO_UNSUPPORTED",
  "ERR_SINO_BACKEND_UNAVAILABLE",
]);

/** Dual-domain diffusion: a network says what was behind metal. */
const diffuse: Correct = async (sinograms, metalMask, geometry, given, run) => {
  const { physics: file = "auto", start, muWater } = given;
  const physics = marPhysics(file === "auto" ? "auto" : await readPhysics(file));
  const details = await diffusionDetails(given);
  const count = sizeOf(sinograms.shape.slice(0, -2));
  const options = { ...jobOptions(run), ...chainOf(given), metalMask, physics, start, muWater };
  const made = await withPrior(given, geometry.image.shape, count, run, (prior) =>
    diffusionMar(sinograms, geometry, prior, options),
  );
  const { images, metal, slices } = made;
  const verdicts = slices.flatMap(({ verdict }) => verdict ?? []);
  warnOfFailures(slices, `as ${details.start === "noise" ? "uncorrected" : details.start} gave it`, run);
  if (slices.every(({ outcome }) => outcome === "none")) run.console.warn(noMetal);
  return {
    images,
    metal,
    muWater: made.muWater,
    details: {
      physics: file,
      diffusion: details,
      slices: slices.map(({ verdict, ...rest }) => ({ ...verdict, ...rest })),
    },
    facts: [
      ...diffusionFacts(details),
      ["Outcome", outcomeText(slices)],
      ...(verdicts.length > 0 ? ([["Verdict", verdictText(verdicts)]] as Corrected["facts"]) : []),
    ],
    tables: verdicts.length > 0 ? [verdictTable(verdicts)] : [],
    said: verdicts.length > 0 ? `${verdictText(verdicts)}, ${outcomeText(slices)}` : outcomeText(slices),
    code: exitOf(slices),
    note:
      verdicts.length > 0
        ? "Measured sinogram: the rays through metal were inverted for the tissue behind it and completed by a network, and all rays made monochromatic."
        : "Measured sinogram: the rays through metal were completed by a network, all others are as measured.",
  };
};

const corrections: Readonly<Record<Given["method"], Correct>> = {
  li: replaceTrace,
  nmar: replaceTrace,
  polychromatic: invertPhysics,
  diffusion: diffuse,
  auto: invertAndDiffuse,
};

async function checkMask(mask: ArrayLike, path: string, run: Run): Promise<void> {
  const { minimum, maximum, nonFinite } = await statistics(mask, quietly(run));
  const refuse = (what: string) =>
    sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a mask that is not zero where metal is in ${path} but ${what}`, {
      details: { path },
    });
  if (nonFinite > 0) throw refuse(`${nonFinite} of its pixels are NaN or infinite.`);
  if (minimum === 0 && maximum === 0)
    throw refuse("it is empty: nothing is there to correct. Use reconstruct instead.");
  if (minimum > 0 || maximum < 0) throw refuse("it covers every pixel: nothing would be left of the measurement.");
}
