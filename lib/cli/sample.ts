/** `sinogram sample`: images out of noise. */
import { join } from "node:path";
import { fileDigest } from "../core/digest.ts";
import { writeFileAtomic } from "../core/files.ts";
import { version } from "../core/version.ts";
import { writeSyntheticSeries } from "../data/dicom/synthetic.ts";
import { writeNifti } from "../data/nifti.ts";
import { writeNpy } from "../data/npy.ts";
import { generate, type Judgement, judge, namedConditions, openStages, type Sampler } from "../generate/index.ts";
import { contactSheet } from "../generate/sheet.ts";
import { loadTrained, type Precision } from "../models/index.ts";
import { modelFolder } from "../models/shipped.ts";
import { type Command, counted, jobOptions, load, requirePlanes, timed } from "./command.ts";
import { toJson } from "./console.ts";
import { UsageError } from "./failure.ts";
import type { ConditionWords } from "./options.ts";
import { checkFolderTarget, withFolderOutput } from "./outputs.ts";

export interface SampleCommandOptions {
  model: string;
  output: string;
  seed: number;
  number?: number;
  steps?: number;
  sampler?: Sampler;
  size?: number;
  condition?: ConditionWords;
  context?: string;
  guidance?: number;
  classifier?: string;
  classifierClass?: number;
  classifierScale?: number;
  from?: string;
  strength?: number;
  stages?: boolean;
  precision?: Precision;
  format: "nifti" | "npy" | "dicom";
  pixelMm?: [number, number];
  compare?: string;
  window: [number, number];
}

export function sample(given: SampleCommandOptions): Command {
  return async (run) => {
    if (given.strength !== undefined && given.from === undefined)
      throw new UsageError("Option --strength says how far to go from the images of --from: name them too.");
    if ((given.classifier === undefined) !== (given.classifierClass === undefined))
      throw new UsageError(
        "Options --classifier and --classifier-class go together: a model, and which of its classes.",
      );
    const classifier =
      given.classifier === undefined
        ? undefined
        : { model: given.classifier, class: given.classifierClass!, scale: given.classifierScale };
    const { model, output, seed, steps, sampler, size, condition, guidance, strength, format, window } = given;
    const [row, column] = given.pixelMm ?? [1, 1];
    await checkFolderTarget(output, false);
    const source = await modelFolder(model);
    const trained = await loadTrained(source, { precision: given.precision });
    const stages = given.stages === false ? [] : await openStages(trained, source);
    const { named = {}, ...numbered } = condition ?? {};
    const conditions = { ...numbered, ...namedConditions(trained, named) };
    const context = given.context === undefined ? undefined : (await load(given.context, run)).array;
    const start = given.from === undefined ? undefined : requirePlanes(await load(given.from, run), "an image");
    const [hu, seconds] = await timed(() =>
      generate(trained, {
        ...jobOptions(run),
        threads: run.options.threads,
        count: given.number,
        ...(size !== undefined && { size: [size, size] as const }),
        ...conditions,
        ...{ context },
        ...{ seed, steps, sampler, guidance, classifier, start, strength, stages },
      }),
    );
    const learned = given.compare === undefined ? undefined : requirePlanes(await load(given.compare, run), "slices");
    const comparison = learned && (await judge(hu, learned, { signal: run.signal, network: trained }));
    const made = {
      precision: given.precision,
      seed,
      steps,
      sampler,
      size,
      condition,
      context: given.context,
      guidance,
      classifier,
      from: given.from,
      strength,
    };
    const digest = (folder: string) => fileDigest(join(folder, "model.json"));
    const behind = await Promise.all(stages.map(({ folder }) => digest(folder)));
    const configuration = { model: await digest(source), ...(behind.length > 0 && { stages: behind }), ...made };
    const count = hu.shape[0]!;
    await withFolderOutput(output, run.signal, async (folder) => {
      if (format === "npy") await writeNpy(join(folder, "samples.npy"), hu);
      if (format === "nifti")
        await writeNifti(join(folder, "samples.nii.gz"), hu, { spacing: [1, row, column], description: "SYNTHETIC" });
      if (format === "dicom")
        await writeSyntheticSeries(hu, {
          out: join(folder, "dicom"),
          configuration,
          model: "of a diffusion prior",
          pixelMm: [row, column],
        });
      await writeFileAtomic(join(folder, "sheet.png"), await contactSheet(hu, window, { signal: run.signal }));
      const record = {
        software: "sinogram",
        version,
        command: "sample",
        synthetic: true,
        ...configuration,
        count,
        ...(comparison && { comparison }),
        seconds,
      };
      await writeFileAtomic(join(folder, "sinogram.json"), `${toJson(record)}\n`);
    });
    run.console.log(`${output}: ${counted(count, "slice")} in ${seconds.toFixed(1)} s`);
    await run.console.result({ output, slices: count, seconds, comparison }, comparison && tableOf(comparison));
    return 0;
  };
}

function tableOf({ nearest, neighboursHu, diversityHu, msSsim, frechet, tissue }: Judgement): string {
  const hu = (v: number) => `${v.toFixed(0)} HU`;
  const least = Math.min(...nearest.map(({ rmseHu }) => rmseHu));
  return [
    `nearest learned slice   ${hu(least)} at least; learned slices have one at ${hu(neighboursHu)}`,
    `two slices differ by    ${hu(diversityHu.generated)}; learned ones by ${hu(diversityHu.learned)}`,
    ...(msSsim
      ? [`MS-SSIM of two slices   ${msSsim.generated.toFixed(3)}; learned ones ${msSsim.learned.toFixed(3)}`]
      : []),
    ...(frechet
      ? [
          `Fréchet distance        ${frechet.generated.toPrecision(3)}; of two halves of the learned slices ${frechet.halves.toPrecision(3)}`,
        ]
      : []),
    ...Object.entries(tissue).map(
      ([name, { generated, learned }]) =>
        `${name.padEnd(24)}${(100 * generated).toFixed(1)} % of the pixels; learned ${(100 * learned).toFixed(1)} %`,
    ),
    "",
  ].join("\n");
}
