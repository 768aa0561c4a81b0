/** A trained network on images of any size: opened once for tiles of them, run over all tiles in batches, several sessions at a time. */
import { sizeOf } from "../core/arrays.ts";
import { networkModel } from "../networks/index.ts";
import { type ModelOptions, openModel } from "./model.ts";
import type { Values } from "./session.ts";
import { copyIn, copyOut, type Tile, tilingOf } from "./tiles.ts";
import { grainOf, type Trained } from "./trained.ts";

export interface TileOptions extends ModelOptions {
  /** Largest side that the network sees at once; default 512. */
  readonly tile?: number | undefined;
  /** Seen around each tile and thrown away; default 32. */
  readonly margin?: number | undefined;
  /** Tiles per run; default 4. */
  readonly batch?: number | undefined;
}

/** What a network is shown of images. */
export interface Shown {
  /** Channel c of image n. */
  readonly plane: (n: number, c: number) => Float32Array;
  /** Its other inputs, for the images of some tiles. */
  readonly feeds: (images: readonly number[]) => Record<string, Values>;
  readonly signal?: AbortSignal | undefined;
  readonly onTiles?: ((done: number, total: number) => void) | undefined;
}

export interface TiledNetwork {
  /** What it makes of the images, all channels of one after the other; aborts with `signal.reason`. */
  run(shown: Shown): Promise<Float32Array<ArrayBuffer>>;
  dispose(): Promise<void>;
}

/** Channels that a network gives. */
export const outsOf = ({ network }: Trained): number =>
  "outChannels" in network ? (network.outChannels ?? 1) : network.inChannels;

/** Opens it for `count` images of `shape`, in the units of `scale` or, without, its own. Throws what `openModel` throws. */
export async function openTiled(
  trained: Trained,
  { shape, count, scale }: { shape: readonly number[]; count: number; scale?: Trained["scale"] },
  { tile = 512, margin = 32, batch = 4, ...options }: TileOptions,
): Promise<TiledNetwork> {
  const { network, weights, calibration, isSegmentation: isProbability } = trained;
  const { size, tiles } = tilingOf(shape, { tile, margin, grain: grainOf(network) });
  const jobs = Array.from({ length: count }, (_, n) => tiles.map((tile) => ({ n, tile }))).flat();
  const perRun = Math.min(batch, jobs.length);
  const outside = { scale, calibration, isProbability };
  const model = await openModel(networkModel(network, weights, { batch: perRun, size }, outside), options);
  const [ins, outs] = [network.inChannels, outsOf(trained)];
  const [plane, area] = [sizeOf(shape), sizeOf(size)];
  const part = (from: Float32Array, i: number, length: number) => from.subarray(i * length, (i + 1) * length);

  async function runSome(some: readonly { n: number; tile: Tile }[], shown: Shown, result: Float32Array) {
    const x = new Float32Array(perRun * ins * area);
    for (const [i, { n, tile }] of some.entries())
      for (let c = 0; c < ins; c++) copyIn(shown.plane(n, c), shape, tile, size, part(x, i * ins + c, area));
    // the last run may have fewer: the rest of it is thrown away
    const images = Array.from({ length: perRun }, (_, i) => (some[i] ?? some[0]!).n);
    const { y } = await model.run({ x: { data: x, shape: [perRun, ins, ...size] }, ...shown.feeds(images) });
    const values = y!.data as Float32Array;
    for (const [i, { n, tile }] of some.entries())
      for (let c = 0; c < outs; c++)
        copyOut(part(values, i * outs + c, area), tile, size, part(result, n * outs + c, plane), shape);
  }

  return {
    async run(shown) {
      const result = new Float32Array(count * outs * plane);
      let [next, done] = [0, 0];
      const lane = async () => {
        while (next < jobs.length) {
          shown.signal?.throwIfAborted();
          const some = jobs.slice(next, next + perRun);
          next += perRun;
          await runSome(some, shown, result);
          done += some.length;
          shown.onTiles?.(done, jobs.length);
        }
      };
      await Promise.all(Array.from({ length: model.sessions }, lane));
      return result;
    },
    dispose: () => model.dispose(),
  };
}
