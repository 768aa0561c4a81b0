/**
 * One slice through the diffusion chain. In every step the network says what the image is; its projection fills the metal trace
 * ("difference": its detail, levelled by the rays beside the trace; "replace": itself, as DuDoDp); what the filled sinogram changes in
 * the reconstruction is fused with the network's image and the one before correction, from which the sampler goes on. All but the
 * network is one native job: native/recon/diffusion_step.h has the formulas.
 *
 * In a chain that starts from an image, the network's is believed as far as it explains the rays beside the trace; the rest is the start.
 *
 * Target and anchor belong together: a sinogram and its FBP; an image's projection and the image. The anchor keeps what replacing the
 * trace does not touch; one projection and one FBP per step remain, all else is made once.
 */
import { type ArrayLike, type Volume, volume } from "../../core/arrays.ts";
import { cleanFrom, type Prediction } from "../../diffusion/prediction.ts";
import { ddim } from "../../diffusion/samplers/ddim.ts";
import { dpmSolver } from "../../diffusion/samplers/dpm-solver.ts";
import { uniPc } from "../../diffusion/samplers/unipc.ts";
import { noiseOf, requireFiniteStep, samplerState, samplingStep } from "../../diffusion/step.ts";
import { levelsOf, startingTimesteps } from "../../diffusion/timesteps.ts";
import type { Mask } from "../../image/input.ts";
import { floats, newImage, requireNumber, requireOneOf, requireSameShape } from "../../image/input.ts";
import { combine, select, statistics, threshold } from "../../image/pixels.ts";
import type { OperationOptions } from "../../native/job.ts";
import { checkSeed, normalNoise } from "../../physics/noise.ts";
import type { Geometry } from "../../tomography/geometry.ts";
import { createPlan, type Plan } from "../../tomography/plan.ts";
import { type Anatomy, anatomies, strengthFor } from "./anatomy.ts";
import type { DiffusionPrior } from "./prior.ts";
import { type Fusion, fusionSteps, fusions, maskImage, type WeightMask, weightMasks } from "./weights.ts";

/** "renoise": the fused image with fresh noise, as DuDoDp; the others take the fused image for what the network said. */
export const chainSamplers = ["renoise", "ddim", "dpm-solver", "unipc"] as const;
export type ChainSampler = (typeof chainSamplers)[number];
export const fills = ["difference", "replace"] as const;
export type Fill = (typeof fills)[number];

export interface ChainOptions {
  /** Runs of the network per slice; default 10. */
  steps?: number | undefined;
  /** What the images show; says how much noise the start gets, by the size of its metal. Default "general". */
  anatomy?: Anatomy | undefined;
  /** The same as a number, a share of the schedule above 0 to 1, whatever the metal; from "noise" always 1. */
  strength?: number | undefined;
  /** Default "renoise". */
  sampler?: ChainSampler | undefined;
  /** Default "fbp". */
  weightMask?: WeightMask | undefined;
  /** Default "dudodp". */
  fusion?: Fusion | undefined;
  /** Default "difference". */
  fill?: Fill | undefined;
  /** Believe the network's image less, and the start more, the worse it explains the rays beside the trace; default true. */
  guarded?: boolean | undefined;
  /** Of all noise; a slice's depends on it and the slice's number alone. Default 0. */
  seed?: number | undefined;
}

export type ChainSettings = { [name in Exclude<keyof ChainOptions, "strength">]-?: NonNullable<ChainOptions[name]> } & {
  strength?: number;
};

export const chainDefaults: ChainSettings = {
  steps: 10,
  anatomy: "general",
  sampler: "renoise",
  weightMask: "fbp",
  fusion: "dudodp",
  fill: "difference",
  guarded: true,
  seed: 0,
};

/** Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_ARG_TYPE; also where there are more steps than the schedule of the prior has. */
export function chainSettings(prior: DiffusionPrior, options: ChainOptions): ChainSettings {
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && (name in chainDefaults || name === "strength"),
  );
  const settings: ChainSettings = { ...chainDefaults, ...Object.fromEntries(given) };
  const { strength = 1 } = settings;
  requireNumber(strength, "strength", "a share above 0 and up to 1", (s) => s > 0 && s <= 1);
  requireOneOf(settings.anatomy, "anatomy", anatomies);
  requireOneOf(settings.sampler, "sampler", chainSamplers);
  requireOneOf(settings.weightMask, "weightMask", weightMasks);
  requireOneOf(settings.fusion, "fusion", fusions);
  requireOneOf(settings.fill, "fill", fills);
  checkSeed(settings.seed);
  startingTimesteps(prior.schedule, settings.steps, strength);
  return settings;
}

/** A slice, images in 1/mm. */
export interface ChainSlice {
  /** Its number, for its noise. */
  number: number;
  /** T, and the image that it belongs to. */
  target: Volume;
  anchor: Volume;
  trace: Mask;
  metal: ArrayLike;
  /** Where the chain begins; undefined: with noise alone. */
  start: Volume | undefined;
  /** The image before correction, of the second fusion. */
  before: Volume;
  /** How far T is trusted in the trace; default not at all. */
  trust?: Volume | undefined;
  /** An image that shows bone as it is: the result's is no brighter. */
  bone?: Volume | undefined;
  /** Share of `start` in the result; default none. */
  startShare?: number | undefined;
  /** How often, in the last step, X_s += FBP(S' − projection of X_s): gives back the sharpness that FBP costs. */
  refinements: number;
}

/** What does not change from slice to slice. */
export interface Chain {
  prior: DiffusionPrior;
  settings: ChainSettings;
  geometry: Geometry;
  plan: Plan;
  muWater: number;
}

/** The plan of the FBPs inside the loop: the fastest route that the scan allows. */
export async function chainPlan(geometry: Geometry, options: OperationOptions): Promise<Plan> {
  const route = geometry.beam === "fan" ? "rebinned" : "auto";
  try {
    return await createPlan(geometry, { route, signal: options.signal });
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_SINO_UNSUPPORTED") throw error;
    return createPlan(geometry, { signal: options.signal });
  }
}

/** x = scale·µ + shift. */
export function unitsOf({ prior: { scale }, muWater }: Pick<Chain, "prior" | "muWater">) {
  return { scale: (1000 * scale.factor) / muWater, shift: -(1000 + scale.offset) * scale.factor };
}

/**
 * The corrected slice in 1/mm. Throws ERR_SINO_OUT_OF_RANGE {step, timestep, count} where the network says NaN or infinity, what the
 * network throws, and `signal.reason`.
 */
export async function runChain(
  chain: Chain,
  slice: ChainSlice,
  options: OperationOptions & { onStep?: (() => void) | undefined },
): Promise<Volume> {
  const { prior, settings, geometry, plan } = chain;
  const { schedule, prediction, range } = prior;
  const { scale, shift } = unitsOf(chain);
  const job = { signal: options.signal, device: options.device };
  const { shape } = slice.before;
  // a multiple of 4, as noise is counted
  const noise = { seed: settings.seed, first: slice.number * 4 * Math.ceil(slice.before.data.length / 4), ...job };
  const toNetwork = (mu: Volume) => combine([[scale, mu]], { ...job, offset: shift });
  const toMu = (x: Volume) => combine([[1 / scale, x]], { ...job, offset: -shift / scale });
  const list = startingTimesteps(schedule, settings.steps, await strengthOf(slice, settings, job));
  const steps = fusionSteps(schedule, list, settings.fusion, settings.weightMask);
  const levels = Array.from(list, (t) => schedule.alphasCumprod[t]!);
  const base = await maskImage(settings.weightMask, slice, geometry, job);
  const begun = slice.start && { x: await toNetwork(slice.start), rays: await plan.project(slice.start, job) };
  const z = volume((await normalNoise(shape, { ...noise, stream: 0 })).data as Float32Array<ArrayBuffer>, shape);
  let x = begun
    ? await combine(
        [
          [Math.sqrt(levels[0]!), begun.x],
          [Math.sqrt(1 - levels[0]!), z],
        ],
        job,
      )
    : z;
  const sampler = samplerPlan(settings.sampler, prior, list);
  const state = samplerState(shape);
  state.images.get("sample")!.set(x.data);
  const fixed = {
    ...{ low: range[0], high: range[1], scale, shift, replaces: settings.fill === "replace" },
    ...{ target: slice.target.data, anchor: slice.anchor.data, trace: slice.trace.data, trust: slice.trust?.data },
    ...{ measured: slice.before.data, base: base.data },
    ...(begun && settings.guarded && (await guard(begun, slice, job))),
  };
  for (const [i, step] of steps.entries()) {
    job.signal?.throwIfAborted();
    const answer = await prior.says(x, step.timestep);
    requireSameShape(answer, "the network's output", x, "the sample");
    const isLast = i === steps.length - 1;
    const [sample, said] = [x.data, await floats(answer, "the network's output", job)];
    const fuse = async (refinements: number): Promise<Volume> => {
      const result = newImage(shape);
      const { cleanNonFinite, nonFinite } = await plan.pipeline(
        "diffusionStep",
        {
          ...fixed,
          ...mixOf(prediction, levels[i]!),
          ...step,
          ...(sampler || isLast ? { signal: 1, noise: 0 } : {}),
          ...noiseOf(i, noise),
          ...{ sample, said, refinements, result: result.data },
        },
        job,
      );
      requireFiniteStep(cleanNonFinite || nonFinite!, i, step.timestep);
      return result;
    };
    let fused = await fuse(0);
    if (isLast && slice.refinements > 0) {
      const boneLevel = (boneHu - prior.scale.offset) * prior.scale.factor;
      fused = await notBrighter(await fuse(slice.refinements), fused, boneLevel, job);
    }
    if (sampler && !isLast) {
      await samplingStep(sampler.steps[i]!, state, fused, i, noise);
      x = volume(state.images.get("sample")!, shape);
    } else x = fused;
    options.onStep?.();
  }
  const { start, startShare = 0, bone } = slice;
  const whole = await toMu(x);
  const made = bone ? await notBrighter(whole, bone, (1 + boneHu / 1000) * chain.muWater, job) : whole;
  if (!start || startShare === 0) return made;
  return combine(
    [
      [startShare, start],
      [1 - startShare, made],
    ],
    job,
  );
}

/** Rays corrected for water show bone too bright, refinement brighter still; from here on what is added may darken only. */
const boneHu = 300;

/** `image`, at most `known` where that is above `level`. */
async function notBrighter(image: Volume, known: Volume, level: number, job: OperationOptions): Promise<Volume> {
  const excess = await combine(
    [
      [1, image],
      [-1, known],
    ],
    { ...job, low: 0 },
  );
  const kept = await select(await threshold(known, level, job), excess, 0, job);
  return combine(
    [
      [1, image],
      [-1, kept],
    ],
    job,
  );
}

async function strengthOf(
  slice: ChainSlice,
  { anatomy, strength }: ChainSettings,
  job: OperationOptions,
): Promise<number> {
  if (!slice.start) return 1;
  return strength ?? strengthFor(anatomy, (await statistics(slice.metal, job)).mean);
}

/** Steps that take the fused image for what a network of the clean image said. */
function samplerPlan(sampler: ChainSampler, { schedule }: DiffusionPrior, list: Float64Array) {
  const to = { prediction: "sample" as const };
  if (sampler === "renoise") return undefined;
  if (sampler === "ddim") return ddim(schedule, list, to);
  return (sampler === "unipc" ? uniPc : dpmSolver)(levelsOf(schedule, list), to);
}

function mixOf(prediction: Prediction, level: number) {
  const { sample, output } = cleanFrom(prediction, Math.sqrt(level), Math.sqrt(1 - level));
  return { fromSample: sample, fromOutput: output };
}

/** What says how far the network's image is to be believed: the known image, its rays, and the rays that tell. */
async function guard({ x, rays }: { x: Volume; rays: Volume }, slice: ChainSlice, job: OperationOptions) {
  return { known: x.data, knownRays: rays.data, beside: (await raysBeside(slice, job)).data };
}

/** Rays of less than this share of the largest line integral cross air. */
const leastBody = 0.05;

/** 1 on rays through the body that did not meet metal. */
async function raysBeside({ target, trace }: ChainSlice, job: OperationOptions): Promise<Mask> {
  const outside = await select(trace, 0, target, job);
  const { maximum } = await statistics(outside, job);
  return threshold(outside, Math.max(leastBody * maximum, Number.MIN_VALUE), job);
}
