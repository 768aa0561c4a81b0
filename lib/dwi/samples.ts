/**
 * What Noise2Noise's network is fed and asked for, [sample, channel, …]: slices, or whole volumes for a network of three axes. Sides are
 * padded to what its halvings need. Channels of "others": what the regression on the other volumes says, and their mean; of "nearest": the volume.
 */
import { type ArrayLike, sizeOf, type Volume } from "../core/arrays.ts";
import { newImage } from "../image/input.ts";
import { combine } from "../image/pixels.ts";
import type { OperationOptions } from "../native/job.ts";
import type { Shell } from "./gradients.ts";
import { patch2self } from "./patch2self.ts";
import { cropSlice, paddedSize, padSlice, type SliceSize, shellVolumes, volumeData } from "./slices.ts";

export type Patches = "slices" | "volumes";

export interface Samples {
  readonly patches: Patches;
  readonly input: Volume;
  readonly target: Volume;
  readonly size: SliceSize;
  readonly slices: number;
  /** More than `slices` where volumes are padded. */
  readonly paddedSlices: number;
}

function emptySamples(dwi: Volume, count: number, channels: number, patches: Patches, grain: number): Samples {
  const slices = dwi.shape[1]!;
  const size = paddedSize(dwi.shape, grain);
  const paddedSlices = patches === "volumes" ? Math.ceil(slices / grain) * grain : slices;
  const plane = [size.paddedRows, size.paddedColumns];
  const shape = (c: number) =>
    patches === "volumes" ? [count, c, paddedSlices, ...plane] : [count * slices, c, ...plane];
  return { patches, input: newImage(shape(channels)), target: newImage(shape(1)), size, slices, paddedSlices };
}

/** Puts a volume into one channel of its samples, `into` being input or target. */
function place(volume: Float32Array, samples: Samples, into: Volume, index: number, channel: number): void {
  const { patches, size, slices, paddedSlices } = samples;
  const channels = into.shape[1]!;
  const pixels = size.paddedRows * size.paddedColumns;
  for (let z = 0; z < paddedSlices; z++) {
    const plane =
      patches === "volumes"
        ? (index * channels + channel) * paddedSlices + z
        : (index * slices + z) * channels + channel;
    padSlice(volume, Math.min(z, slices - 1), size, into.data, plane * pixels);
  }
}

/** Puts what a network of one output made of the samples into the volumes of a shell, in place. */
export function unplace(made: Float32Array, { size, slices, paddedSlices }: Samples, dwi: Volume, shell: Shell): void {
  const pixels = size.paddedRows * size.paddedColumns;
  shell.volumes.forEach((index, i) => {
    for (let z = 0; z < slices; z++) cropSlice(made, (i * paddedSlices + z) * pixels, size, volumeData(dwi, index), z);
  });
}

export async function fromOthers(
  dwi: Volume,
  shell: Shell,
  patches: Patches,
  grain: number,
  options: OperationOptions,
): Promise<Samples> {
  const chosen = shellVolumes(dwi, shell);
  const { volumes } = shell;
  const predicted = await patch2self(chosen, { ...options, bvals: volumes.map(() => shell.b) });
  const voxels = sizeOf(dwi.shape.slice(1));
  const volumeOf = (i: number): ArrayLike => ({ data: volumeData(chosen, i), shape: [voxels] });
  const share = 1 / (volumes.length - 1);
  const total = await combine(
    volumes.map((_, i) => [share, volumeOf(i)] as const),
    options,
  );
  const samples = emptySamples(dwi, volumes.length, 2, patches, grain);
  for (let i = 0; i < volumes.length; i++) {
    const terms = [[1, total] as const, [-share, volumeOf(i)] as const];
    const { data: mean } = await combine(terms, options);
    place(volumeData(predicted, i), samples, samples.input, i, 0);
    place(mean, samples, samples.input, i, 1);
    place(volumeData(chosen, i), samples, samples.target, i, 0);
  }
  return samples;
}

export function fromNearest(dwi: Volume, pairs: readonly [number, number][], patches: Patches, grain: number): Samples {
  const samples = emptySamples(dwi, pairs.length, 1, patches, grain);
  pairs.forEach(([own, nearest], i) => {
    place(volumeData(dwi, own), samples, samples.input, i, 0);
    place(volumeData(dwi, nearest), samples, samples.target, i, 0);
  });
  return samples;
}
