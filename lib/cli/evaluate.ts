/** `sinogram evaluate`: how far one image file is from another. */
import { statistics } from "../image/pixels.ts";
import { evaluate as evaluateImages, type Metrics, type ProtocolName } from "../metrics/evaluate.ts";
import { type Command, load, quietly, type Run, requirePlanes } from "./command.ts";

export interface EvaluateOptions {
  mask?: string;
  protocol?: ProtocolName;
  window?: [number, number];
  unit: "mu" | "hu";
  muWater?: number;
}

/** No attenuation that a CT image holds, in 1/mm, comes near this. */
const implausibleMu = 10;

export function evaluate(images: string, reference: string, given: EvaluateOptions): Command {
  return async (run) => {
    const { unit, protocol, window, muWater } = given;
    const a = requirePlanes(await load(images, run), "an image [row, column]");
    const b = requirePlanes(await load(reference, run), "an image [row, column]");
    const mask = given.mask === undefined ? undefined : (await load(given.mask, run)).array;
    if (unit === "mu") await warnOfHu(b, reference, run);
    const { slices, ...means } = await evaluateImages(a, b, { ...quietly(run), unit, protocol, window, muWater, mask });
    const figures = { images, reference, ...(given.mask ? { mask: given.mask } : {}), ...means, slices };
    await run.console.result(figures, table(means, slices.length));
    return 0;
  };
}

async function warnOfHu(array: Parameters<typeof statistics>[0], name: string, run: Run): Promise<void> {
  const { minimum, maximum } = await statistics(array, quietly(run));
  if (Math.max(-minimum, maximum) > implausibleMu)
    run.console.warn(
      `${name} spans ${minimum.toFixed(0)} to ${maximum.toFixed(0)}, which cannot be attenuation in 1/mm. If it is HU, add --unit hu.`,
    );
}

function table(
  {
    psnr,
    ssim,
    rmseHu,
    maeHu,
    biasHu,
    protocol,
    window,
    unit,
  }: Metrics & { protocol: string; window: readonly number[]; unit: string },
  slices: number,
): string {
  const span = `${window.map((value) => Number(value.toPrecision(6))).join(" to ")} ${unit === "mu" ? "1/mm" : "HU"}`;
  return [
    `protocol  ${protocol}, ${span}, ${slices} ${slices === 1 ? "slice" : "slices, means"}`,
    `PSNR      ${psnr.toFixed(3)} dB`,
    `SSIM      ${ssim.toFixed(5)}`,
    `RMSE      ${rmseHu.toFixed(2)} HU`,
    `MAE       ${maeHu.toFixed(2)} HU`,
    `bias      ${biasHu.toFixed(2)} HU`,
    "",
  ].join("\n");
}
