/** Random numbers of training, indexed by seed and stream (Philox, native), so that a resumed run draws the same. */
import { runJob } from "../native/job.ts";
import type { ParameterSpec } from "../networks/index.ts";
import { views } from "./state.ts";

/** Fills an array with normal noise of this deviation. */
export async function drawNormal(
  values: Float32Array<ArrayBuffer>,
  { deviation = 1, seed, stream }: { deviation?: number; seed: number; stream: number },
): Promise<void> {
  await runJob("samplingStep", {
    seed,
    stream,
    first: 0,
    count: values.length,
    sample: values,
    fromSample: 1,
    fromOutput: 0,
    low: -Infinity,
    high: Infinity,
    terms: 0,
    rows: Float64Array.of(0, 0, 0, deviation),
    row0Into: "sample",
    device: "cpu",
  });
}

/** The vector that training starts from. */
export async function initialVector(
  specs: readonly ParameterSpec[],
  length: number,
  seed: number,
): Promise<Float32Array<ArrayBuffer>> {
  const vector = new Float32Array(length);
  let stream = 0;
  for (const [name, part] of views(specs, vector)) {
    const { mean, deviation } = specs[stream]!;
    if (specs[stream]!.name !== name) throw new Error("specs out of order");
    stream++;
    if (deviation === 0) {
      part.fill(mean);
      continue;
    }
    const values = new Float32Array(part.length);
    await drawNormal(values, { deviation, seed, stream });
    part.set(values);
  }
  return vector;
}
