/**
 * Noise2Noise on one diffusion scan: a network learns from pairs of images that show the same and differ in their noise, and cleans the
 * scan that it has learnt from. J. Lehtinen et al., "Noise2Noise: Learning image restoration without clean data", ICML 2018.
 *
 * The pairs. "nearest": a volume and the one whose gradient direction is nearest, by |cosine|; where few directions were measured those two
 * show different contrast, and the network learns their mean. "others" (default): what all other volumes of the shell say of a volume
 * (Patch2Self's regression, whose noise is independent of the volume's own) beside their mean, and the volume as it was measured: the
 * same contrast at both ends, and less noise at one of them. The network sees slices, or blocks of volumes (samples.ts).
 *
 * Magnitudes. The mean of magnitudes is what both the pairs and the loss (L2) aim at, so the Rician bias stays through the network, and is
 * taken out afterwards, from that mean (rician.ts).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ArrayLike, sizeOf, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { writeNpy } from "../data/npy.ts";
import { floats, newImage } from "../image/input.ts";
import { requireFinite, statistics } from "../image/pixels.ts";
import { applyTrained, loadTrained, type Trained } from "../models/index.ts";
import type { OperationOptions } from "../native/job.ts";
import { type NetworkDescription, parseNetwork } from "../networks/index.ts";
import { type TrainingConfig, type TrainingEvent, train } from "../training/index.ts";
import { type Gradients, nearestPairs, type Shell, shellNear, shellsOf } from "./gradients.ts";
import { keepStructure } from "./keep-structure.ts";
import { noiseOf } from "./noise.ts";
import { removeRicianBias } from "./rician.ts";
import { fromNearest, fromOthers, type Patches, type Samples, unplace } from "./samples.ts";
import { shellVolumes, volumeData } from "./slices.ts";

export interface Noise2NoiseOptions extends OperationOptions {
  gradients: Gradients;
  /** Which shell, s/mm²; default the largest. Other volumes are copied. */
  shell?: number | undefined;
  /** Default "others". */
  pairs?: "others" | "nearest" | undefined;
  /** The network sees slices (default) or blocks of the volumes; a stored one says itself what it takes. */
  patches?: Patches | undefined;
  /** How often each slice, or each voxel of volumes, is seen; default 20. */
  epochs?: number | undefined;
  seed?: number | undefined;
  /** A folder that an earlier call trained into: its network is applied, nothing is trained. */
  model?: string | undefined;
  /** Where training keeps checkpoint, log and model; a run that was stopped goes on there. Default: nothing is kept. */
  folder?: string | undefined;
  /** Noise in each part of the complex signal, for the Rician correction: a number, or "auto" (default, by noise.ts); 0 for none. */
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

/** Halvings of the network, and so what sides are padded to multiples of. */
const grain = 2 ** 3;

/** For both kinds of patches: channels of each level, crops that training sees, and how many of them at a time. */
const plans = {
  slices: { dimensions: 2, channels: [32, 32, 32, 32], crop: [64, 64], batch: 4 },
  volumes: { dimensions: 3, channels: [16, 24, 32, 32], crop: [16, 32, 32], batch: 1 },
} as const;

const networkFor = (inChannels: number, patches: Patches): NetworkDescription =>
  parseNetwork({
    kind: "unet",
    dimensions: plans[patches].dimensions,
    inChannels,
    outChannels: 1,
    channels: plans[patches].channels,
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
  const stored = options.model ? await loadTrained(options.model) : undefined;
  const patches = options.patches ?? patchesOf(stored);
  const samples =
    pairs === "others"
      ? await fromOthers(input, shell, patches, grain, quiet(options))
      : fromNearest(input, partners, patches, grain);
  const scale = {
    offset: 0,
    factor: 1 / Math.max(1e-30, (await statistics(shellVolumes(input, shell), options)).maximum),
  };
  const result = newImage(dwi.shape);
  result.data.set(input.data);
  const trained = stored ?? (await trainedOn(samples, scale, options));
  unplace(await applied({ ...trained, scale }, samples, options), samples, result, shell);
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

const quiet = ({ device, signal }: OperationOptions): OperationOptions => ({ device, signal });

/** What a stored network takes. */
const patchesOf = (trained: Trained | undefined): Patches =>
  trained && "dimensions" in trained.network && trained.network.dimensions === 3 ? "volumes" : "slices";

/** Trains in the caller's folder, or in one that goes afterwards. */
async function trainedOn(
  samples: Samples,
  scale: { offset: number; factor: number },
  options: Noise2NoiseOptions,
): Promise<Trained> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "sinogram-dwi-")));
  try {
    await train(await configOf(samples, scale, folder, options), trainOptions(folder, options));
    return await loadTrained(folder);
  } finally {
    if (!options.folder) await rm(folder, { recursive: true, force: true });
  }
}

const trainOptions = (folder: string, { signal, onTraining }: Noise2NoiseOptions) => ({
  folder,
  resume: true,
  ...(signal && { signal }),
  ...(onTraining && { onEvent: onTraining }),
});

async function configOf(
  { input, target, patches }: Samples,
  scale: { offset: number; factor: number },
  folder: string,
  { epochs = 20, seed = 0, threads }: Noise2NoiseOptions,
): Promise<TrainingConfig> {
  const paths = { input: join(folder, "input.npy"), target: join(folder, "target.npy") };
  await writeNpy(paths.input, input);
  await writeNpy(paths.target, target);
  const [count, channels, ...sides] = input.shape as [number, number, ...number[]];
  const plan = plans[patches];
  const patch = sides.map((n, axis) => Math.min(n, plan.crop[axis]!));
  const crops = patches === "volumes" ? (count * sizeOf(sides)) / sizeOf(patch) : count;
  return {
    network: networkFor(channels, patches),
    data: { ...paths, ...scale, validation: 0, patch, flip: true },
    loss: { l2: 1 },
    optimizer: { rate: 3e-3, clip: 1 },
    schedule: { kind: "cosine", warmup: 20 },
    average: 0.99,
    steps: Math.max(1, Math.ceil((epochs * crops) / plan.batch)),
    batch: Math.min(plan.batch, count),
    seed,
    ...(threads !== undefined && { threads }),
    name: "Noise2Noise of one diffusion scan",
    licence: "that of the scan",
  };
}

/** What a network makes of all samples. */
async function applied(
  trained: Trained,
  { input, patches }: Samples,
  options: Noise2NoiseOptions,
): Promise<Float32Array> {
  const [count, channels, ...sides] = input.shape as [number, number, ...number[]];
  const { network } = trained;
  if (network.inChannels !== channels || patchesOf(trained) !== patches)
    throw sinoError(
      "ERR_SINO_MODEL",
      `The network in ${options.model} takes ${network.inChannels} channels of ${patchesOf(trained)}, the pairs have ${channels} of ${patches}: it was trained with other pairs or patches.`,
    );
  const shape = [count, ...(channels > 1 ? [channels] : []), ...sides];
  const tiles = patches === "volumes" ? { tile: 96, margin: 24, batch: 1 } : {};
  const { threads, signal } = options;
  const made = await applyTrained(trained, { data: input.data, shape }, { ...tiles, provider: "cpu", threads, signal });
  return made.data as Float32Array;
}
