/**
 * Whether a correction of images without raw data did good: by streaks in soft tissue, which needs no truth.
 *
 * Streaks and bands are gradients where tissue is smooth. A correction that takes artefacts away lowers them by 4 % and more; one that
 * found none to take away changes them by 2 % at most, and one that draws new ones through images that had been corrected before
 * raises them (by 10 to 20 %).
 */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import { gaussian } from "../image/gaussian.ts";
import type { Mask } from "../image/input.ts";
import { dilate } from "../image/morphology.ts";
import { clip, combine, select, threshold } from "../image/pixels.ts";
import { type OperationOptions, runJob } from "../native/job.ts";

/** HU of the image before: what streaks are looked for in. */
const softTissue = [-150, 200] as const;
const mostHu = 300;
const beyondPixels = 2;
/** Streaks after over streaks before: from the first on the correction is taken as it is, up to the second not at all. */
const sureRatio = 0.96;
const lostRatio = 0.98;

/** How much of a correction is to be taken, 0 to 1. Images [row, column] in HU; `support` what the correction took for metal. */
export async function correctionShare(
  before: Volume,
  after: Volume,
  support: Mask,
  options: OperationOptions = {},
): Promise<number> {
  const near = await dilate(support, { radius: beyondPixels, ...options });
  const tissue = await select(near, -1000, before, options);
  const isBright = await threshold(tissue, softTissue[1], options);
  const soft = await threshold(await select(isBright, -1000, tissue, options), softTissue[0], options);
  const streaks = async (image: ArrayLike) => {
    const calm = await clip(await select(near, 0, image, options), -mostHu, mostHu, options);
    return meanGradient(await gaussian(calm, { sigma: 1, ...options }), soft, options);
  };
  const ratio = (await streaks(after)) / (await streaks(before));
  return ratio < lostRatio ? Math.min(1, (lostRatio - ratio) / (lostRatio - sureRatio)) : 0; // NaN, no soft tissue: 0
}

async function meanGradient(image: Volume, where: Mask, { signal, device = "auto" }: OperationOptions) {
  const [rows, columns] = image.shape;
  const result = new Float64Array(2);
  await runJob("meanGradient", { device, rows, columns, input: image.data, where: where.data, result }, { signal });
  return result[0]!;
}

/** before + share · (after − before), into `after`; the image before to the bit where the share is 0. */
export async function takeShare(before: Volume, after: Volume, share: number, options: OperationOptions) {
  if (share === 0) after.data.set(before.data);
  if (share === 0 || share === 1) return;
  const terms = [
    [1 - share, before],
    [share, after],
  ] as const;
  after.data.set((await combine(terms, options)).data);
}
