/**
 * One slice through the diffusion chain. In every step
 *
 *     x̂0 = what the network says the image is, clamped to its range
 *     S' = P + LI(T − P) in the metal trace, P the projection of x̂0: its detail, levelled by the rays beside the trace ("difference"),
 *          or P itself ("replace", as DuDoDp)
 *     S' = trust·T + (1 − trust)·S', where it is known how far the rays of the trace are to be trusted
 *     X_s = anchor + FBP(S' − T)
 *     X   = the fusion of x̂0, X_s and the image before (native/ops/sampling_step.h), from which the sampler goes on
 *
 * In a chain that starts from an image, x̂0 is believed as far as it explains the rays beside the trace (P − T there); the rest is the start.
 *
 * T and anchor belong together: a sinogram and its FBP; an image's projection and the image. The anchor keeps what replacing the trace
 * does not touch; one projection and one FBP per step remain, all else is made once.
 */
import { type ArrayLike, type Volume, volume } from "../../core/arrays.ts";
import { cleanFrom } from "../../diffusion/prediction.ts";
import { ddim } from "../../diffusion/samplers/ddim.ts";
import { dpmSolver } from "../../diffusion/samplers/dpm-solver.ts";
import { dualDomainStep } from "../../diffusion/samplers/dual-domain.ts";
import { uniPc } from "../../diffusion/samplers/unipc.ts";
import { requireFiniteStep, samplerState, samplingStep } from "../../diffusion/step.ts";
import { levelsOf, startingTimesteps } from "../../diffusion/timesteps.ts";
import type { Mask } from "../../image/input.ts";
import { requireNumber, requireOneOf } from "../../image/input.ts";
import { interpolateMasked } from "../../image/interpolate.ts";
import { combine, countNonFinite, select, statistics, threshold } from "../../image/pixels.ts";
import { type OperationOptions, runJob } from "../../native/job.ts";
import { checkSeed, normalNoise } from "../../physics/noise.ts";
import type { Geometry } from "../../tomography/geometry.ts";
import { createPlan, type Plan } from "../../tomography/plan.ts";
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
  /** How much noise the start gets, as a share of the schedule, above 0 to 1; default 0.05; from "noise" always 1. */
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

export type ChainSettings = { [name in keyof ChainOptions]-?: NonNullable<ChainOptions[name]> };

export const chainDefaults: ChainSettings = {
  steps: 10,
  strength: 0.05,
  sampler: "renoise",
  weightMask: "fbp",
  fusion: "dudodp",
  fill: "difference",
  guarded: true,
  seed: 0,
};

/** Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_ARG_TYPE; also where there are more steps than the schedule of the prior has. */
export function chainSettings(prior: DiffusionPrior, options: ChainOptions): ChainSettings {
  const given = Object.entries(options).filter(([name, value]) => value !== undefined && name in chainDefaults);
  const settings: ChainSettings = { ...chainDefaults, ...Object.fromEntries(given) };
  requireNumber(settings.strength, "strength", "a share above 0 and up to 1", (s) => s > 0 && s <= 1);
  requireOneOf(settings.sampler, "sampler", chainSamplers);
  requireOneOf(settings.weightMask, "weightMask", weightMasks);
  requireOneOf(settings.fusion, "fusion", fusions);
  requireOneOf(settings.fill, "fill", fills);
  checkSeed(settings.seed);
  startingTimesteps(prior.schedule, settings.steps, settings.strength);
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
  const list = startingTimesteps(schedule, settings.steps, slice.start ? settings.strength : 1);
  const steps = fusionSteps(schedule, list, settings.fusion, settings.weightMask);
  const levels = Array.from(list, (t) => schedule.alphasCumprod[t]!);
  const base = await maskImage(settings.weightMask, slice, geometry, job);
  const begun = slice.start && { x: await toNetwork(slice.start), rays: await plan.project(slice.start, job) };
  const beside = await raysBeside(slice, job);
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
  for (const [i, step] of steps.entries()) {
    job.signal?.throwIfAborted();
    const said = await prior.says(x, step.timestep);
    const mix = cleanFrom(prediction, Math.sqrt(levels[i]!), Math.sqrt(1 - levels[i]!));
    let clean = await combine(
      [
        [mix.sample, x],
        [mix.output, said],
      ],
      { ...job, low: range[0], high: range[1] },
    );
    requireFiniteStep(await countNonFinite(clean, job), i, step.timestep);
    let rays = await plan.project(await toMu(clean), job);
    if (begun && settings.guarded) {
      const share = believed(await missed(slice.target, rays, beside, job));
      if (share < 1) {
        clean = await weighted(share, clean, begun.x, job);
        rays = await weighted(share, rays, begun.rays, job);
      }
    }
    const isLast = i === steps.length - 1;
    const consistent = await completed(chain, slice, rays, isLast, job);
    const level = sampler || isLast ? { signal: 1, noise: 0 } : {};
    const images = { clean, consistent, measured: slice.before, base };
    const fused = await dualDomainStep({ ...step, ...level }, images, i, { ...noise, clip: range, scale, shift });
    if (sampler && !isLast) {
      await samplingStep(sampler.steps[i]!, state, fused, i, noise);
      x = volume(state.images.get("sample")!, shape);
    } else x = fused;
    options.onStep?.();
  }
  const made = await toMu(x);
  const { start, startShare = 0 } = slice;
  return start && startShare > 0 ? weighted(startShare, start, made, job) : made;
}

/** share·a + (1 − share)·b of images or rays, one share for all. */
function weighted(share: number, a: Volume, b: Volume, job: OperationOptions): Promise<Volume> {
  return combine(
    [
      [share, a],
      [1 - share, b],
    ],
    job,
  );
}

/** Steps that take the fused image for what a network of the clean image said. */
function samplerPlan(sampler: ChainSampler, { schedule }: DiffusionPrior, list: Float64Array) {
  const to = { prediction: "sample" as const };
  if (sampler === "renoise") return undefined;
  if (sampler === "ddim") return ddim(schedule, list, to);
  return (sampler === "unipc" ? uniPc : dpmSolver)(levelsOf(schedule, list), to);
}

/** X_s, for the projections of the network's image. */
async function completed(
  { geometry, plan, settings }: Chain,
  { target, anchor, trace, trust, refinements }: ChainSlice,
  projected: Volume,
  isLast: boolean,
  job: OperationOptions,
): Promise<Volume> {
  const filled =
    settings.fill === "replace"
      ? await select(trace, projected, target, job)
      : (await interpolateMasked(target, trace, { ...job, prior: projected })).sinograms;
  const rays = trust ? await mixed(trust, target, filled, job) : filled;
  const add = async (image: Volume, from: Volume, low?: number) => {
    const change = await plan.fbp(
      await combine(
        [
          [1, rays],
          [-1, from],
        ],
        job,
      ),
      job,
    );
    return combine(
      [
        [1, image],
        [1, volume(change.data, geometry.image.shape)],
      ],
      { ...job, low },
    );
  };
  let image = await add(anchor, target);
  for (let k = 0; isLast && k < refinements; k++) image = await add(image, await plan.project(image, job), 0);
  return image;
}

/** share·a + (1 − share)·b, a share per ray. */
function mixed(share: Volume, a: Volume, b: Volume, job: OperationOptions): Promise<Volume> {
  const blend = { timestep: 0, delta: 1, deltaMeasured: 0, keep: 1, signal: 1, noise: 0 };
  const images = { clean: a, consistent: b, measured: a, base: share };
  return dualDomainStep(blend, images, 0, { ...job, seed: 0, clip: [-Infinity, Infinity] });
}

/** Line integrals by which an image may miss the rays beside the trace: sure of it, and not believed at all. */
const believedTo = [0.02, 0.06] as const;
/** Rays of less than this share of the largest line integral cross air. */
const leastBody = 0.05;

function believed(rms: number): number {
  const [sure, lost] = believedTo;
  return Math.min(1, Math.max(0, (lost - rms) / (lost - sure)));
}

/** 1 on rays through the body that did not meet metal. */
async function raysBeside({ target, trace }: ChainSlice, job: OperationOptions): Promise<Mask> {
  const outside = await select(trace, 0, target, job);
  const { maximum } = await statistics(outside, job);
  return threshold(outside, Math.max(leastBody * maximum, Number.MIN_VALUE), job);
}

/** Root mean square of a − b where the mask is set. */
async function missed(a: Volume, b: Volume, { data: where }: Mask, job: OperationOptions): Promise<number> {
  const { data: input } = await combine(
    [
      [1, a],
      [-1, b],
    ],
    job,
  );
  const result = new Float64Array(2);
  const given = { count: input.length, input, where, ranks: new Float64Array(0), magnitudes: true, result };
  await runJob("quantiles", { device: job.device ?? "auto", ...given }, { signal: job.signal });
  return result[1]!;
}
