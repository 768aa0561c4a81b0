/** `sinogram mar IMAGE`: HU images in an array file, without raw data. */
import { dirname, join } from "node:path";
import type { ArrayLike } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import type { LoadedArray } from "../data/array-files.ts";
import type { DiffusionImagesResult } from "../mar/diffusion/index.ts";
import { type CorrectedImages, type CorrectImagesOptions, correctImages } from "../mar/image.ts";
import type { MetalModel } from "../models/shipped.ts";
import { writeReport } from "../report/report.ts";
import {
  type Command,
  checkOutputFormat,
  counted,
  jobOptions,
  load,
  quietly,
  type Run,
  requirePlanes,
  sizes,
  timed,
} from "./command.ts";
import type { ImageMarOptions } from "./mar.ts";
import { diffuseImages, diffusionDetails, exitOf } from "./mar-diffusion.ts";
import { foundByNetwork, metalDetails, metalWords, openMetalModel } from "./mar-metal.ts";
import { describeGeometry, methodNames, virtualScanNote } from "./mar-words.ts";
import { checkFileTarget, checkReportTargets, withFileOutputs } from "./outputs.ts";
import { recordText, sidecarPath } from "./sidecar.ts";

export function marOfImages(input: string, given: ImageMarOptions): Command {
  return async (run) => {
    const { output, method } = given;
    const target = checkOutputFormat(output);
    await checkFileTarget(target, [input]);
    if (given.report) await checkReportTargets(target, [input]);
    const model = await openMetalModel(given);
    const [loaded, reading] = await timed(() => load(input, run));
    const images = requirePlanes(loaded, "an image [row, column] in HU");
    const pixelMm = given.pixelMm ?? spacingOf(loaded);
    const options = { ...jobOptions(run), ...thresholds(given), pixelMm };
    const diffusion = method === "diffusion" ? await diffusionDetails(given) : undefined;
    const [corrected, computing] = await timed(() => correctByMethod(images, model, given, options, run));
    const affected = corrected.metalPixels.filter((count) => count > 0).length;
    if (affected === 0) run.console.warn(noMetal(corrected.metalHu, model));
    const paths = await withFileOutputs(run.signal, async (outputs) => {
      const { header, affine, spacing } = loaded.meta;
      const place = { ...(header && { header }), ...(affine && { affine }), ...(spacing && { spacing }) };
      const [, writing] = await timed(() => outputs.array(output, corrected.hu, place));
      const text = recordText(
        {
          command: "mar",
          unit: "HU",
          inputs: { images: input, shape: images.shape },
          outputs: [output],
          geometry: corrected.geometry,
          details: {
            method,
            ...(diffusion ? { diffusion } : { passes: given.passes ?? 2 }),
            ...("slices" in corrected && { slices: corrected.slices }),
            metalHu: corrected.metalHu,
            ...(model && { metalModel: metalDetails(model) }),
            muWater: corrected.muWater,
            metalPixels: corrected.metalPixels,
            ...(given.guarded && "shares" in corrected && { guarded: true, shares: corrected.shares }),
            note: virtualScanNote,
          },
          seconds: { reading, computing, writing },
        },
        run,
      );
      await outputs.file(await sidecarPath(target, [input]), text);
      if (given.report)
        await writeReport(
          {
            title: `Metal artefact reduction: ${methodNames[method]}`,
            layers: [
              { name: "Before", hu: images },
              { name: "After", hu: corrected.hu },
            ],
            metal: corrected.metal,
            pixelMm,
            seconds: computing,
            facts: [
              ["Method", methodNames[method]],
              ["Input", input],
              [
                "Metal",
                `${metalWords(corrected.metalHu, model)}, in ${affected} of ${corrected.changed.length} slices`,
              ],
              ...diffusionFacts(diffusion),
              ["Virtual scan", describeGeometry(corrected.geometry)],
              ["µ of water", `${corrected.muWater} 1/mm`],
            ],
            notes: [virtualScanNote],
            warnings: run.console.warnings,
          },
          quietly(run),
          (name, ...chunks) => outputs.file(join(dirname(target), name), ...chunks),
        );
    });
    run.console.log(
      `${output}: ${sizes(images.shape)}, HU, metal in ${counted(affected, "slice")}, ${computing.toFixed(2)} s`,
    );
    for (const path of paths.slice(2)) run.console.log(path);
    const { metalPixels, muWater } = corrected;
    await run.console.result({
      output,
      files: paths,
      shape: images.shape,
      unit: "HU",
      method,
      metalPixels,
      ...(model && { metalModel: metalDetails(model) }),
      muWater,
      ...("slices" in corrected && { slices: corrected.slices }),
      ...(given.guarded && "shares" in corrected && { shares: corrected.shares }),
      seconds: computing,
      warnings: run.console.warnings,
    });
    return exitOf("slices" in corrected ? corrected.slices : undefined);
  };
}

export async function correctByMethod(
  images: ArrayLike,
  model: MetalModel | undefined,
  given: ImageMarOptions,
  options: Omit<CorrectImagesOptions, "method">,
  run: Run,
): Promise<CorrectedImages | DiffusionImagesResult> {
  const { method, guarded } = given;
  const found = await foundByNetwork(images, model, given, run);
  if (method === "diffusion") return diffuseImages(images, given, { ...options, found }, run);
  const corrected = await correctImages(images, { ...options, found, method, guarded });
  const left = corrected.shares.filter((share, slice) => share === 0 && corrected.metalPixels[slice]! > 0).length;
  if (left > 0)
    run.console.warn(
      `${counted(left, "slice")} with metal stay${left === 1 ? "s" : ""} as before: a correction would not have lowered streaks. --method nmar corrects all.`,
    );
  return corrected;
}

export const diffusionFacts = (details: object | undefined): [string, string][] =>
  details
    ? [
        [
          "Diffusion",
          Object.entries(details)
            .map(([name, value]) => `${name} ${value}`)
            .join(", "),
        ],
      ]
    : [];

export function thresholds(
  given: ImageMarOptions,
): Pick<CorrectImagesOptions, "metalHu" | "minimumPixels" | "passes" | "muWater"> {
  const { metalHu, minimumPixels, passes, muWater } = given;
  return { metalHu, minimumPixels, passes, muWater };
}

export const noMetal = (metalHu = 2500, model?: MetalModel): string =>
  model
    ? `The network ${model.name} found no metal, so nothing is changed.`
    : `No metal was found at or above ${metalHu} HU, so nothing is changed. --metal-hu sets the threshold.`;

function spacingOf({ meta }: LoadedArray): [number, number] {
  const [row, column] = meta.spacing?.slice(-2) ?? [];
  if (row && column && row > 0 && column > 0) return [row, column];
  throw sinoError(
    "ERR_SINO_ARG_TYPE",
    `${meta.path} does not say its pixel size. Add --pixel-mm, as in --pixel-mm 0.7.`,
  );
}
