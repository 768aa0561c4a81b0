/** `sinogram correct-motion`: ghosts and blur of a head that moved, out of MR magnitude slices. */
import { sinoError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { restorationModel } from "../models/index.ts";
import { correctMotion as correctMotionOf } from "../restore/motion.ts";
import { type Command, jobOptions, type Run } from "./command.ts";
import { checkFits, type Made, type RestoredOptions, restored, type Source } from "./restored.ts";

export interface CorrectMotionOptions extends RestoredOptions {
  model: string;
  phase: "column" | "row";
}

/** Undoing simulated motion of up to 4 pixels and 3.5 degrees adds 4 % in the middle of 180 slices, 23 % at most: more is not motion. */
const mostAdded = 0.25;

export function correctMotion(input: string, given: CorrectMotionOptions): Command {
  return (run) => {
    const make = (source: Source) => made(source, given, run);
    return restored(input, given, { command: "correct-motion", title: "Motion correction", make }, run);
  };
}

async function made(source: Source, { model: name, phase }: CorrectMotionOptions, run: Run): Promise<Made> {
  const { modality, input } = source;
  if (modality !== undefined && modality !== "MR")
    throw sinoError(
      "ERR_SINO_UNSUPPORTED",
      `correct-motion takes MR, whose lines of k-space are measured one after the other, but ${input} is ${modality}.`,
      { details: { expected: "MR", found: modality } },
    );
  const model = await restorationModel(name);
  await checkFits(model, source, run);
  const { images, kept, added } = await correctMotionOf(source.images, model, {
    ...jobOptions(run),
    phase,
    threads: run.options.threads,
  });
  const most = Math.max(...added);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  if (most > mostAdded)
    run.console.warn(
      `Slice ${added.indexOf(most)}: lines of k-space gained ${percent(most)} of the energy measured, more than undoing motion does: some structure may be invented. Look at the difference.`,
    );
  const { weightsSha256, licence } = model;
  return {
    images,
    description: `Motion corrected, ${model.name}`.slice(0, 40),
    derivation: `Motion corrected by sinogram ${version} with the network ${model.name} and k-space consistency.`,
    configuration: { operation: "correct-motion", version, model: model.name, weightsSha256, phase },
    facts: [
      ["Method", `network ${model.name}, then lines of k-space that it hardly changed as measured`],
      ["Phase encoding", phase === "column" ? "down the columns" : "along the rows"],
      ["Lines kept as measured", percent(kept.reduce((a, b) => a + b, 0) / kept.length)],
      ["Energy added to lines, at most", percent(most)],
      ...(licence ? ([["Licence of the model", licence]] as const) : []),
    ],
    notes: [
      "Magnitudes have no phase, so the motion itself is not known: the correction is what such images look like without ghosts.",
      "Lines of k-space gain little energy where motion is undone. Small structures gain less than that: none of them is vouched for.",
    ],
  };
}
