/** How good a corrected image is: by the field's protocol, and by errors in HU, of soft tissue near metal and far from it. */
import type { ArrayLike, Volume } from "../../lib/core/arrays.ts";
import { distanceTransform } from "../../lib/image/distance.ts";
import { evaluate } from "../../lib/metrics/index.ts";
import { muWater70keV } from "../../lib/physics/constants.ts";

export interface Score {
  /** dB and SSIM by the field's protocol. */
  psnr: number;
  ssim: number;
  /** HU, of all pixels outside the metal … */
  rmse: number;
  /** … and of soft tissue up to 20 pixels from it, and beyond. */
  near: number;
  far: number;
}

/** HU of the reference. */
const softTissue = [-200, 200] as const;
const nearPixels = 20;

/** Throws what `evaluate` throws, also for NaN. */
export async function scoreOf(image: ArrayLike, truth: Volume, metal: ArrayLike): Promise<Score> {
  const { psnr, ssim, rmseHu } = await evaluate(image, truth, { mask: metal, protocol: "syndeeplesion" });
  const outside = Uint8Array.from(metal.data as Uint8Array, (set) => (set === 0 ? 1 : 0));
  const { distances } = await distanceTransform({ data: outside, shape: metal.shape });
  const squares = { near: 0, far: 0 };
  const counts = { near: 0, far: 0 };
  for (const [i, mu] of truth.data.entries()) {
    const hu = 1000 * (mu / muWater70keV - 1);
    if (hu < softTissue[0] || hu > softTissue[1] || metal.data[i] !== 0) continue;
    const where = distances.data[i]! <= nearPixels ? "near" : "far";
    squares[where] += ((1000 * ((image.data[i] as number) - mu)) / muWater70keV) ** 2;
    counts[where]++;
  }
  const rms = (where: "near" | "far") => Math.sqrt(squares[where] / counts[where]);
  return { psnr, ssim, rmse: rmseHu, near: rms("near"), far: rms("far") };
}
