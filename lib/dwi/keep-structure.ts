/**
 * A denoiser may take away noise, and no more. Where the difference of scan and denoised scan has more power than the noise has, something
 * else was taken away, and as much of the difference is given back as is best for the error: of the difference the share σ²/power stays
 * away, where the denoiser did not see the measurement. J.-S. Lee, "Digital image enhancement and noise filtering by use of local
 * statistics", IEEE Trans. PAMI 2, 1980.
 *
 * Asked twice: of what the difference is smoothed (Gaussian of 1.5 pixels), where white noise has 1/28 of its power and blurred edges and
 * lost contrast stand out, volume by volume over 9 × 9 pixels; and of the rest, over 5 × 5 pixels of all volumes, which share their edges, and
 * over 13 × 13 of each, which may have moved alone. How strong the noise is in a place, the volumes' quietest combinations say (noise.ts): with
 * several coils it differs, and outside of the head magnitudes vary less.
 */
import { type Volume, volume } from "../core/arrays.ts";
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
import { quietCombinations } from "./noise.ts";
import { shellVolumes, volumeData } from "./slices.ts";

/** Of the Gaussian, pixels. */
const smoothing = 1.5;
/** Power of white noise in both parts, Σ kernel²: the Gaussian's, and that of 1 − Gaussian, whose middle is 2·Σ. */
const whiteSmooth = 1 / (4 * Math.PI * smoothing ** 2);
const whiteRest = 1 - 4 * whiteSmooth + whiteSmooth;

/** Pixels each way over which powers are means: of what is smooth and of the noise; of the rest in one volume, and in all. */
const sides = { smooth: 9, own: 13, joint: 5 };

/** Estimates of the noise by place scatter, and where they happen to be low nothing was lost: the noise may be so much stronger. */
const allowance = 1.25;

/** The model that does it to the volumes of one slice. */
function model(count: number, quietCount: number, [rows, columns]: readonly [number, number]): Uint8Array {
  const graph = new Graph("keep-structure");
  const input = (name: string, images: number) => graph.input(name, [images, 1, rows, columns]);
  const [noisy, removed, smooth] = [input("noisy", count), input("removed", count), input("smooth", count)];
  const ones = graph.constant(new Float32Array(rows * columns).fill(1), [1, 1, rows, columns]);
  const mean = (power: Tensor, side: number) => {
    const around = { stride: 1, padding: side >> 1 };
    return div(averagePool(power, side, around), averagePool(ones, side, around)); // the windows end at the edges
  };
  const overVolumes = (power: Tensor) => reduceMean(power, [0], { keep: true });
  const quiet = mean(overVolumes(square(input("quiet", quietCount))), sides.smooth);
  const variance = min(mul(quiet, allowance), graph.input("variance", []));
  const share = (white: number, power: Tensor) => min(div(mul(variance, white), max(power, 1e-30)), 1);
  const rest = sub(removed, smooth);
  const power = square(rest);
  const noise = sum(
    mul(smooth, share(whiteSmooth, mean(square(smooth), sides.smooth))),
    mul(rest, share(whiteRest, max(mean(power, sides.own), mean(overVolumes(power), sides.joint)))),
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
  const quiet = await quietCombinations(noisy, shell, {});
  const count = quiet.shape[0]!;
  const session = await openSession(model(volumes.length, count, [rows, columns]), options);
  const pixels = rows * columns;
  const gather = ({ data: all }: Volume, images: number, z: number) => {
    const data = new Float32Array(images * pixels);
    for (let i = 0; i < images; i++) {
      const at = (i * slices + z) * pixels;
      data.set(all.subarray(at, at + pixels), i * pixels);
    }
    return { data, shape: [images, 1, rows, columns] };
  };
  const variance = { data: Float32Array.of(sigma * sigma), shape: [] };
  try {
    for (let z = 0; z < slices; z++) {
      const { y } = await session.run({
        noisy: gather(before, volumes.length, z),
        removed: gather(removed, volumes.length, z),
        smooth: gather(smooth, volumes.length, z),
        quiet: gather(quiet, count, z),
        variance,
      });
      const data = y!.data as Float32Array;
      volumes.forEach((index, i) => {
        volumeData(clean, index).set(data.subarray(i * pixels, (i + 1) * pixels), z * pixels);
      });
    }
  } finally {
    await session.close();
  }
}
