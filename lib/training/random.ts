/** What training starts from: normal noise by seed and stream, one stream per parameter. */

import type { ParameterSpec } from "../networks/index.ts";
import { normalNoise } from "../physics/noise.ts";
import { views } from "./state.ts";

/** The vector that training starts from. */
export async function initialVector(
  specs: readonly ParameterSpec[],
  length: number,
  seed: number,
): Promise<Float32Array<ArrayBuffer>> {
  const vector = new Float32Array(length);
  const parts = [...views(specs, vector).values()];
  for (const [stream, { shape, mean, deviation }] of specs.entries()) {
    const part = parts[stream]!;
    if (deviation === 0) part.fill(mean);
    else part.set((await normalNoise(shape, { seed, stream, device: "cpu" })).data.map((v) => v * deviation));
  }
  return vector;
}
