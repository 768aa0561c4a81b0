/** The pixels that the page carries: int16 HU, gzipped, base64. Layers after the first hold their difference to it, which packs better. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { ArrayLike } from "../core/arrays.ts";
import { flags, planesOf } from "../image/input.ts";
import { combine } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import { storeSlices } from "../native/ops.ts";
import { sliceOf } from "./pictures.ts";

const compress = promisify(gzip);

export interface EmbeddedSlice {
  /** One per layer. */
  layers: string[];
  /** Bytes that are not zero on metal. */
  metal?: string;
}

interface Source {
  layers: readonly { hu: ArrayLike }[];
  metal?: ArrayLike;
}

export async function embedSlices(
  { layers, metal }: Source,
  chosen: readonly number[],
  options: OperationOptions,
): Promise<EmbeddedSlice[]> {
  const { rows, columns } = planesOf(layers[0]!.hu.shape);
  const masks = metal && (await flags(metal, "metal", options));
  const embedded: EmbeddedSlice[] = [];
  for (const index of chosen) {
    options.signal?.throwIfAborted();
    const first = await sliceOf(layers[0]!.hu, index, options);
    const packed = [await packedHu(first.data)];
    for (const { hu } of layers.slice(1)) {
      const change = await combine(
        [
          [1, await sliceOf(hu, index, options)],
          [-1, first],
        ],
        options,
      );
      packed.push(await packedHu(change.data));
    }
    const mask = masks?.subarray(index * rows * columns, (index + 1) * rows * columns);
    embedded.push({ layers: packed, ...(mask ? { metal: await base64(mask) } : {}) });
  }
  return embedded;
}

async function packedHu(hu: Float32Array): Promise<string> {
  const { stored } = await storeSlices(hu, Float64Array.of(1), Float64Array.of(0), { signed: true, bitsStored: 16 });
  return base64(new Uint8Array(stored.buffer));
}

async function base64(bytes: Uint8Array): Promise<string> {
  return (await compress(bytes, { level: 6 })).toString("base64");
}
