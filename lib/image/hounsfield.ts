/** Attenuation in 1/mm to HU and back: HU = 1000 (µ − µ_water) / µ_water. Nothing is clipped unless asked for. */
import type { ArrayLike, Volume } from "../core/arrays.ts";
import type { OperationOptions } from "../native/job.ts";
import { requireNumber } from "./input.ts";
import { combine } from "./pixels.ts";

export interface AttenuationOptions extends OperationOptions {
  /** Values below air (−1000 HU) become 0 instead of negative attenuation; false by default. */
  clipAir?: boolean | undefined;
}

/** `mu` and `muWater` in the same unit. Any shape. Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE. */
export async function toHounsfield(mu: ArrayLike, muWater: number, options: OperationOptions = {}): Promise<Volume> {
  requireMuWater(muWater);
  return combine([[1000 / muWater, mu]], { ...options, offset: -1000, low: -Infinity, high: Infinity });
}

/** The attenuation, in the unit of `muWater`. Any shape. Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_ARG_TYPE, ERR_SINO_SHAPE. */
export async function toAttenuation(hu: ArrayLike, muWater: number, options: AttenuationOptions = {}): Promise<Volume> {
  requireMuWater(muWater);
  const low = options.clipAir ? 0 : -Infinity;
  return combine([[muWater / 1000, hu]], { ...options, offset: muWater, low, high: Infinity });
}

function requireMuWater(muWater: number): void {
  requireNumber(muWater, "muWater", "a positive attenuation", (mu) => mu > 0 && Number.isFinite(mu));
}
