/**
 * A denoiser may take away noise, and no more. Where the difference of scan and denoised scan has more power than the noise has, something
 * else was taken away, and as much of the measurement is given back as is best for the error: w = σ²/power of the denoised value, 1 − w
 * of the measured one, where the denoiser did not see the measurement. The power is the mean over the volumes and over 5 × 5 pixels.
 * J.-S. Lee, "Digital image enhancement and noise filtering by use of local statistics", IEEE Trans. PAMI 2, 1980.
 */
import { sizeOf, type Volume } from "../core/arrays.ts";
import { add, averagePool, div, Graph, max, min, mul, reduceMean, square, sub, writeOnnx } from "../graph/index.ts";
import { openSession, type SessionOptions } from "../models/session.ts";
import type { Shell } from "./gradients.ts";
import { volumeData } from "./slices.ts";

const side = 5;

/** The model that does it to the volumes of one slice. */
function model(count: number, [rows, columns]: readonly [number, number]): Uint8Array {
  const graph = new Graph("keep-structure");
  const shape = [count, 1, rows, columns];
  const [noisy, clean] = [graph.input("noisy", shape), graph.input("clean", shape)];
  const around = { stride: 1, padding: side >> 1 };
  const ones = graph.constant(new Float32Array(rows * columns).fill(1), [1, 1, rows, columns]);
  const power = averagePool(reduceMean(square(sub(noisy, clean)), [0], { keep: true }), side, around);
  const mean = div(power, averagePool(ones, side, around)); // the windows end at the edges
  const share = min(div(graph.input("variance", []), max(mean, 1e-30)), 1);
  graph.output("y", add(noisy, mul(share, sub(clean, noisy))));
  return writeOnnx(graph);
}

/** Gives back to `clean`, in place, what was taken from a shell of `noisy` beyond noise of deviation `sigma`; [volume, slice, row, column]. */
export async function keepStructure(
  noisy: Volume,
  clean: Volume,
  { volumes }: Shell,
  sigma: number,
  options: SessionOptions = {},
): Promise<void> {
  const [, slices, rows, columns] = noisy.shape as [number, number, number, number];
  const shape = [volumes.length, 1, rows, columns];
  const session = await openSession(model(volumes.length, [rows, columns]), options);
  const pixels = rows * columns;
  const slice = (of: Volume, index: number, z: number) => volumeData(of, index).subarray(z * pixels, (z + 1) * pixels);
  const gather = (of: Volume, z: number) => {
    const data = new Float32Array(sizeOf(shape));
    volumes.forEach((index, i) => {
      data.set(slice(of, index, z), i * pixels);
    });
    return { data, shape };
  };
  const variance = { data: Float32Array.of(sigma * sigma), shape: [] };
  try {
    for (let z = 0; z < slices; z++) {
      const { y } = await session.run({ noisy: gather(noisy, z), clean: gather(clean, z), variance });
      const data = y!.data as Float32Array;
      volumes.forEach((index, i) => {
        slice(clean, index, z).set(data.subarray(i * pixels, (i + 1) * pixels));
      });
    }
  } finally {
    await session.close();
  }
}
