/**
 * A denoiser may take away noise, and no more. Where the difference of scan and denoised scan has more power than the noise has, something
 * else was taken away, and as much of the difference is given back as is best for the error: of the difference the share σ²/power stays
 * away, where the denoiser did not see the measurement. J.-S. Lee, "Digital image enhancement and noise filtering by use of local
 * statistics", IEEE Trans. PAMI 2, 1980.
 *
 * Asked twice: of what the difference is smoothed (Gaussian of 1.5 pixels), where white noise has 1/28 of its power and blurred edges and
 * lost contrast stand out, volume by volume over 9 × 9 pixels; and of the rest, over 5 × 5 pixels of all volumes, which share their edges.
 */
import { sizeOf, type Volume, volume } from "../core/arrays.ts";
import {
  averagePool,
  div,
  Graph,
  max,
  min,
  mul,
  reduceMean,
  square,
  sub,
  sum,
  type Tensor,
  writeOnnx,
} from "../graph/index.ts";
import { gaussian } from "../image/gaussian.ts";
import { combine } from "../image/pixels.ts";
import { openSession, type SessionOptions } from "../models/session.ts";
import type { Shell } from "./gradients.ts";
import { shellVolumes, volumeData } from "./slices.ts";

/** Of the Gaussian, pixels. */
const smoothing = 1.5;
/** Power of white noise in both parts, Σ kernel²: the Gaussian's, and that of 1 − Gaussian, whose middle is 2·Σ. */
const whiteSmooth = 1 / (4 * Math.PI * smoothing ** 2);
const whiteRest = 1 - 4 * whiteSmooth + whiteSmooth;

/** Pixels each way over which powers are means. */
const sides = { smooth: 9, rest: 5 };

/** The model that does it to the volumes of one slice. */
function model(count: number, [rows, columns]: readonly [number, number]): Uint8Array {
  const graph = new Graph("keep-structure");
  const shape = [count, 1, rows, columns];
  const [noisy, removed, smooth] = ["noisy", "removed", "smooth"].map((name) => graph.input(name, shape)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const variance = graph.input("variance", []);
  const ones = graph.constant(new Float32Array(rows * columns).fill(1), [1, 1, rows, columns]);
  const noiseIn = (part: Tensor, power: Tensor, side: number, white: number) => {
    const around = { stride: 1, padding: side >> 1 };
    const mean = div(averagePool(power, side, around), averagePool(ones, side, around)); // the windows end at the edges
    return mul(part, min(div(mul(variance, white), max(mean, 1e-30)), 1));
  };
  const rest = sub(removed, smooth);
  const noise = sum(
    noiseIn(smooth, square(smooth), sides.smooth, whiteSmooth),
    noiseIn(rest, reduceMean(square(rest), [0], { keep: true }), sides.rest, whiteRest),
  );
  graph.output("y", sub(noisy, noise));
  return writeOnnx(graph);
}

/** Gives back to `clean`, in place, what was taken from a shell of `noisy` beyond noise of deviation `sigma`; [volume, slice, row, column]. */
export async function keepStructure(
  noisy: Volume,
  clean: Volume,
  shell: Shell,
  sigma: number,
  options: SessionOptions = {},
): Promise<void> {
  const { volumes } = shell;
  const [, slices, rows, columns] = noisy.shape as [number, number, number, number];
  const before = shellVolumes(noisy, shell);
  const images = ({ data }: Volume) => volume(data, [volumes.length * slices, rows, columns]);
  const removed = await combine([
    [1, images(before)],
    [-1, images(shellVolumes(clean, shell))],
  ]);
  const smooth = await gaussian(removed, { sigma: smoothing });
  const shape = [volumes.length, 1, rows, columns];
  const session = await openSession(model(volumes.length, [rows, columns]), options);
  const pixels = rows * columns;
  const gather = ({ data: all }: Volume, z: number) => {
    const data = new Float32Array(sizeOf(shape));
    volumes.forEach((_, i) => {
      const at = (i * slices + z) * pixels;
      data.set(all.subarray(at, at + pixels), i * pixels);
    });
    return { data, shape };
  };
  const variance = { data: Float32Array.of(sigma * sigma), shape: [] };
  try {
    for (let z = 0; z < slices; z++) {
      const parts = { noisy: gather(before, z), removed: gather(removed, z), smooth: gather(smooth, z) };
      const { y } = await session.run({ ...parts, variance });
      const data = y!.data as Float32Array;
      volumes.forEach((index, i) => {
        volumeData(clean, index).set(data.subarray(i * pixels, (i + 1) * pixels), z * pixels);
      });
    }
  } finally {
    await session.close();
  }
}
