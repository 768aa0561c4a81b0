/** `--explain`: what a network's report says about why it changed what it changed, and whether the images support it. */
import { type Volume, volume } from "../core/arrays.ts";
import { newImage, planesOf } from "../image/input.ts";
import { combine } from "../image/pixels.ts";
import type { RestorationModel } from "../models/index.ts";
import { explainRestoration } from "../restore/explain.ts";
import { jobOptions, quietly, type Run } from "./command.ts";
import type { Made } from "./restored.ts";

export interface Restoration {
  readonly before: Volume;
  readonly after: Volume;
  readonly model: RestorationModel;
  /** What the network was shown, where that is not `before`. */
  readonly seen?: Volume | undefined;
  readonly modality: string | undefined;
}

export interface Explained {
  readonly explained: NonNullable<Made["explained"]>;
  readonly facts: Made["facts"];
  readonly notes: readonly string[];
}

/** Body, not air or lung: where the noise of CT is measured. */
const tissueHu = -300;

/** Warns where the result shows structure that the images do not support. Throws what `explainRestoration` throws. */
export async function explained({ before, after, model, seen, modality }: Restoration, run: Run): Promise<Explained> {
  const found = await explainRestoration(before, after, model, {
    ...jobOptions(run),
    threads: run.options.threads,
    ...(modality === "CT" && { least: tissueHu }),
    seen,
  });
  const { support, attention, sentence } = found;
  if (support.score > 1) run.console.warn(sentence);
  const [slice] = support.place;
  const layer = newImage(after.shape);
  const { rows, columns } = planesOf(after.shape);
  const percent = await combine([[100, attention]], quietly(run));
  layer.data.set(percent.data, slice * rows * columns);
  const unsupported = await combine([[100, support.map]], quietly(run));
  return {
    explained: {
      layers: [
        { name: "Attention, %", hu: layer },
        { name: "Unsupported, %", hu: volume(unsupported.data, after.shape) },
      ],
      importance: [...support.perSlice].map((score, s) => (score > 1 || s === slice ? score : 0)),
    },
    facts: [["Support", sentence]],
    notes: [
      "Attention is Grad-CAM of the network's change around the place that the input supports least: what it looked at there. " +
        "Unsupported is structure of the result that the input does not explain, in percent of what its noise and edges allow: look where it exceeds 100.",
    ],
  };
}
