/**
 * Noise2Noise on one diffusion scan: a network learns from pairs of images that show the same and differ in their noise, and cleans the
 * scan that it has learnt from. J. Lehtinen et al., "Noise2Noise: Learning image restoration without clean data", ICML 2018.
 *
 * The pairs. "nearest": a volume and the one whose gradient direction is nearest, by |cosine|; where few directions were measured those two
 * show different contrast, and the network learns their mean. "others" (default): what all other volumes of the shell say of a volume
 * (Patch2Self's regression, whose noise is independent of the volume's own) beside their mean, and the volume as it was measured: the
 * same contrast at both ends, and less noise at one of them. The network sees slices.
 *
 * Magnitudes. The mean of magnitudes is what both the pairs and the loss (L2) aim at, so the Rician bias stays through the network, and is
 * taken out afterwards, from that mean (rician.ts).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { writeNpy } from "../data/npy.ts";
import { readSafetensors } from "../data/safetensors.ts";
import { floats, newImage } from "../image/input.ts";
import { combine, requireFinite, statistics } from "../image/pixels.ts";
import { openSession } from "../models/session.ts";
import type { OperationOptions } from "../native/job.ts";
import { type NetworkDescription, networkModel, parseNetwork } from "../networks/index.ts";
import { type TrainingConfig, type TrainingEvent, train } from "../training/index.ts";
import { type Gradients, nearestPairs, type Shell, shellNear, shellsOf } from "./gradients.ts";
import { keepStructure } from "./keep-structure.ts";
import { noiseOf } from "./noise.ts";
import { patch2self } from "./patch2self.ts";
import { removeRicianBias } from "./rician.ts";
import { cropSlice, paddedSize, padSlice, type SliceSize, shellVolumes, volumeData } from "./slices.ts";

export interface Noise2NoiseOptions extends OperationOptions {
  gradients: Gradients;
  /** Which shell, s/mm²; default the largest. Other volumes are copied. */
  shell?: number | undefined;
  /** Default "others". */
  pairs?: "others" | "nearest" | undefined;
  /** How often each slice is seen; default 40. */
  epochs?: number | undefined;
  seed?: number | undefined;
  /** A folder that an earlier call trained into: its network is applied, nothing is trained. */
  model?: string | undefined;
  /** Where training keeps checkpoint, log and model; a run that was stopped goes on there. Default: nothing is kept. */
  folder?: string | undefined;
  /** Noise in each part of the complex signal, for the Rician correction: a number, or "auto" (default, from what is left over); 0 for none. */
  sigma?: number | "auto" | undefined;
  threads?: number | undefined;
  onTraining?: ((event: TrainingEvent) => void) | undefined;
}

export interface Denoised {
  /** As the input: [volume, slice, row, column]. */
  readonly dwi: Volume;
  /** The same before the Rician correction: mean magnitudes, which what was taken away is to be judged by. */
  readonly means: Volume;
  readonly shell: Shell;
  /** With which the Rician bias was taken out; 0 where it was not. */
  readonly sigma: number;
}

/** Halvings of the network, and so what slices are padded to. */
const levels = 3;
const grain = 2 ** levels;
const batch = 16;
/** Sides of the crops that training sees. */
const patchSide = 64;

const networkFor = (inChannels: number): NetworkDescription =>
  parseNetwork({
    kind: "unet",
    inChannels,
    outChannels: 1,
    channels: [32, 32, 32, 32],
    blocks: 1,
    block: "double",
    norm: "none",
    activation: "leaky-relu",
    residual: true,
  });

/**
 * Cleans one shell of a scan [volume, slice, row, column] by a network that learns from the scan itself, or by one that is there.
 * Training blocks the thread it runs on: in a server, call this in a worker. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE (NaN, no such
 * shell, one direction), ERR_SINO_MODEL, ERR_SINO_IO, ERR_SINO_UNSUPPORTED (no onnxruntime-node).
 */
export async function noise2noise(dwi: ArrayLike, options: Noise2NoiseOptions): Promise<Denoised> {
  const { gradients, pairs = "others", sigma = "auto" } = options;
  const input = volume((await floats(dwi, "dwi", options, [4])) as Float32Array<ArrayBuffer>, dwi.shape);
  if (gradients.bvals.length !== dwi.shape[0])
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one b-value per volume, ${dwi.shape[0]}, but received ${gradients.bvals.length}.`,
    );
  if (pairs !== "others" && pairs !== "nearest")
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected pairs "others" or "nearest" but received ${show(pairs)}.`);
  await requireFinite(input, "dwi", options);
  const shell = shellNear(shellsOf(gradients.bvals), options.shell);
  const partners = nearestPairs(shell, gradients.directions); // also refuses a single direction
  const size = paddedSize(dwi.shape, grain);
  const samples =
    pairs === "others" ? await fromOthers(input, shell, size, options) : fromNearest(input, partners, size);
  const scale = {
    offset: 0,
    factor: 1 / Math.max(1e-30, (await statistics(shellVolumes(input, shell), options)).maximum),
  };
  const result = newImage(dwi.shape);
  result.data.set(input.data);
  await withFolder(options, async (folder) => {
    if (!options.model) await train(await configOf(samples, scale, folder, options), trainOptions(folder, options));
    await apply(folder, samples, scale, size, shell, result, options);
  });
  const noise = typeof sigma === "number" && sigma > 0 ? sigma : await noiseOf(input, shell, quiet(options));
  await keepStructure(input, result, shell, noise, options.threads ? { threads: options.threads } : {});
  const found = sigma === 0 ? 0 : noise;
  const means = volume(result.data.slice(), dwi.shape);
  if (found > 0)
    for (const index of shell.volumes) {
      const data = volumeData(result, index);
      data.set((await removeRicianBias({ data, shape: [data.length] }, { ...quiet(options), sigma: found })).data);
    }
  return { dwi: result, means, shell, sigma: found };
}

/** What the network is fed, [sample, channel, row, column], and what it is asked for; a sample is a slice of a volume of the shell. */
interface Samples {
  readonly input: Volume;
  readonly target: Volume;
}

const quiet = ({ device, signal }: OperationOptions): OperationOptions => ({ device, signal });

function emptySamples(dwi: Volume, count: number, channels: number, { paddedRows, paddedColumns }: SliceSize): Samples {
  const samples = count * dwi.shape[1]!;
  return {
    input: newImage([samples, channels, paddedRows, paddedColumns]),
    target: newImage([samples, 1, paddedRows, paddedColumns]),
  };
}

/** Puts all slices of a volume into one channel of the samples from `first` on. */
function place(
  from: Float32Array,
  slices: number,
  size: SliceSize,
  into: Volume,
  first: number,
  channel: number,
): void {
  const channels = into.shape[1]!;
  const pixels = size.paddedRows * size.paddedColumns;
  for (let z = 0; z < slices; z++) padSlice(from, z, size, into.data, ((first + z) * channels + channel) * pixels);
}

async function fromOthers(dwi: Volume, shell: Shell, size: SliceSize, options: Noise2NoiseOptions): Promise<Samples> {
  const chosen = shellVolumes(dwi, shell);
  const predicted = await patch2self(chosen, { ...quiet(options), bvals: shell.volumes.map(() => shell.b) });
  const { volumes } = shell;
  const slices = dwi.shape[1]!;
  const voxels = sizeOf(dwi.shape.slice(1));
  const volumeOf = (i: number): ArrayLike => ({ data: volumeData(chosen, i), shape: [voxels] });
  const share = 1 / (volumes.length - 1);
  const total = await combine(
    volumes.map((_, i) => [share, volumeOf(i)] as const),
    quiet(options),
  );
  const samples = emptySamples(dwi, volumes.length, 2, size);
  for (let i = 0; i < volumes.length; i++) {
    const terms = [[1, total] as const, [-share, volumeOf(i)] as const];
    const { data: mean } = await combine(terms, quiet(options));
    place(volumeData(predicted, i), slices, size, samples.input, i * slices, 0);
    place(mean, slices, size, samples.input, i * slices, 1);
    place(volumeData(chosen, i), slices, size, samples.target, i * slices, 0);
  }
  return samples;
}

function fromNearest(dwi: Volume, pairs: readonly [number, number][], size: SliceSize): Samples {
  const slices = dwi.shape[1]!;
  const samples = emptySamples(dwi, pairs.length, 1, size);
  pairs.forEach(([own, nearest], i) => {
    place(volumeData(dwi, own), slices, size, samples.input, i * slices, 0);
    place(volumeData(dwi, nearest), slices, size, samples.target, i * slices, 0);
  });
  return samples;
}

/** Runs a step with the folder of the model: the caller's, or one that goes afterwards. */
async function withFolder(
  { model, folder }: Noise2NoiseOptions,
  step: (folder: string) => Promise<void>,
): Promise<void> {
  if (model ?? folder) return step((model ?? folder)!);
  const own = await mkdtemp(join(tmpdir(), "sinogram-dwi-"));
  try {
    await step(own);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

const trainOptions = (folder: string, { signal, onTraining }: Noise2NoiseOptions) => ({
  folder,
  resume: true,
  ...(signal && { signal }),
  ...(onTraining && { onEvent: onTraining }),
});

async function configOf(
  { input, target }: Samples,
  scale: { offset: number; factor: number },
  folder: string,
  { epochs = 40, seed = 0, threads }: Noise2NoiseOptions,
): Promise<TrainingConfig> {
  const paths = { input: join(folder, "input.npy"), target: join(folder, "target.npy") };
  await writeNpy(paths.input, input);
  await writeNpy(paths.target, target);
  const [count, channels, ...sides] = input.shape as [number, number, number, number];
  return {
    network: networkFor(channels),
    data: { ...paths, ...scale, validation: 0, patch: sides.map((n) => Math.min(n, patchSide)), flip: true },
    loss: { l2: 1 },
    optimizer: { rate: 3e-3, clip: 1 },
    schedule: { kind: "cosine", warmup: 20 },
    average: 0.99,
    steps: Math.max(1, Math.ceil((epochs * count) / batch)),
    batch: Math.min(batch, count),
    seed,
    ...(threads !== undefined && { threads }),
    name: "Noise2Noise of one diffusion scan",
    licence: "that of the scan",
  };
}

/** Runs the folder's network over all samples, into the volumes of the result. */
async function apply(
  folder: string,
  { input }: Samples,
  scale: { offset: number; factor: number },
  size: SliceSize,
  shell: Shell,
  result: Volume,
  options: Noise2NoiseOptions,
): Promise<void> {
  const { tensors, metadata } = await readSafetensors(join(folder, "weights.safetensors"));
  const network = parseNetwork(JSON.parse(metadata["network"] ?? "null"), folder);
  const [count, channels] = input.shape as [number, number];
  if (network.inChannels !== channels)
    throw sinoError(
      "ERR_SINO_MODEL",
      `The network in ${folder} takes ${network.inChannels} channels, the pairs have ${channels}: it was trained with other pairs.`,
    );
  const weights = new Map([...tensors].map(([name, { data }]) => [name, data]));
  const { paddedRows, paddedColumns } = size;
  const model = networkModel(network, weights, { batch: 1, size: [paddedRows, paddedColumns] }, { scale });
  const session = await openSession(model, options.threads ? { threads: options.threads } : {});
  try {
    const slices = result.shape[1]!;
    const length = channels * paddedRows * paddedColumns;
    for (let i = 0; i < count; i++) {
      options.signal?.throwIfAborted();
      const data = input.data.subarray(i * length, (i + 1) * length);
      const { y } = await session.run({ x: { data, shape: [1, channels, paddedRows, paddedColumns] } });
      const target = volumeData(result, shell.volumes[Math.floor(i / slices)]!);
      cropSlice(y!.data as Float32Array, 0, size, target, i % slices);
      if (i % slices === 0) await nextTurn();
    }
  } finally {
    await session.close();
  }
}
