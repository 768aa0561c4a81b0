/** What a chain of a measured sinogram starts from: NMAR, polychromatic inversion, or nothing but noise. */
import { sizeOf, type Volume, volume } from "../../core/arrays.ts";
import type { Mask } from "../../image/input.ts";
import { dilate } from "../../image/morphology.ts";
import { combine } from "../../image/pixels.ts";
import type { OperationOptions } from "../../native/job.ts";
import { linearAttenuation, materialOf } from "../../physics/materials.ts";
import type { Geometry } from "../../tomography/geometry.ts";
import type { Plan } from "../../tomography/plan.ts";
import type { SliceVerdict } from "../guard.ts";
import { countMetal, findMetalInSinograms } from "../metal.ts";
import type { MarPhysics } from "../physics.ts";
import { polychromaticMar } from "../polychromatic.ts";
import { correctSinogram, metalTrace } from "../sinogram.ts";
import type { ChainSlice } from "./chain.ts";
import { trustOf } from "./weights.ts";

export const diffusionStarts = ["nmar", "polychromatic", "noise"] as const;
export type DiffusionStart = (typeof diffusionStarts)[number];

export interface StartOptions {
  geometry: Geometry;
  /** [slices, rows, columns]. */
  metalMask: Mask | undefined;
  physics: MarPhysics;
  muWater: number;
  /** What completes the rays, too: only so its errors at the edges of metal cancel. */
  plan: Plan;
  job: OperationOptions;
}

export interface Started {
  /** Where the chains begin, and what slices stay that fail: [slices, rows, columns], 1/mm. */
  images: Volume;
  metal: Mask;
  /** Metal pixels of every slice. */
  pixels: number[];
  verdicts?: SliceVerdict[];
  sliceOf: (number: number) => Promise<ChainSlice>;
}

/** For sinograms [slices, views, bins]. Throws what the methods throw that it starts from. */
export function startOf(kind: DiffusionStart, sinograms: Volume, options: StartOptions): Promise<Started> {
  return kind === "polychromatic" ? fromPhysics(sinograms, options) : fromReplacement(kind, sinograms, options);
}

/** As many as polychromatic inversion makes: they sharpen noise, too. */
function refinementsOf(photons: number): number {
  return photons >= 5e6 ? 3 : photons >= 5e5 ? 2 : photons >= 3e5 ? 1 : 0;
}

function sliceAt<T extends Volume | Mask>(stack: T, number: number): T {
  const shape = stack.shape.slice(1);
  const size = sizeOf(shape);
  return volume(stack.data.subarray(number * size, (number + 1) * size) as T["data"], shape) as T;
}

async function fromReplacement(kind: "nmar" | "noise", sinograms: Volume, options: StartOptions): Promise<Started> {
  const { geometry, physics, muWater, plan, job } = options;
  const slices = sinograms.shape[0]!;
  const uncorrected = await plan.fbp(sinograms, job);
  const metal =
    options.metalMask ??
    (await dilate(await findMetalInSinograms(sinograms, geometry, { ...job, muWater }), { radius: 1, ...job }));
  const pixels = await countMetal(metal, slices, sizeOf(geometry.image.shape), job);
  const corrected =
    kind === "nmar"
      ? await correctSinogram(sinograms, { metalMask: metal }, geometry, { ...job, method: "nmar", muWater })
      : { images: uncorrected, trace: await metalTrace(metal, geometry, job) };
  const sliceOf = async (number: number): Promise<ChainSlice> => {
    const before = sliceAt(corrected.images, number);
    return {
      number,
      target: sliceAt(sinograms, number),
      anchor: sliceAt(uncorrected, number),
      trace: sliceAt(corrected.trace, number),
      metal: sliceAt(metal, number),
      start: kind === "nmar" ? before : undefined,
      before,
      refinements: refinementsOf(physics.photons),
    };
  };
  return { images: corrected.images, metal, pixels, sliceOf };
}

/** How far polychromatic inversion's support reaches beyond the metal, pixels, and what it trusts rays by (native/recon/polychromatic_mar.cc). */
const supportPixels = 2;
const trustBy = {
  div4: { scatterError: 0, crosstalk: 0, metalError: 0.002, edge: 0, clear: 0.001, width: 0.015 },
  subray: { scatterError: 1e-4, crosstalk: 0.03, metalError: 0.02, edge: 0.25, clear: 0.06, width: 0.02 },
};

/**
 * Below, the rays of the trace are replaced as they were measured: what is added to the inversion as FBP of a change of its projections
 * leaves its finest noise, which projecting it does not see. Inversion and completion err in ways of their own, and their mean errs less
 * than either: so much of it is the inversion's where the guard trusts it (between a quarter and a half did best on nine scans for tuning).
 */
const fewPhotons = 3e5;
const ofInversion = 1 / 3;

/** Where no physics vouches for what the network says, some stays as NMAR made it: the network may not know this anatomy. */
const ofNmar = 1 / 4;

/** A slice whose physics does not fit: NMAR of the same metal, and the rays as they were measured. */
async function fromNmar(number: number, body: Mask, sinograms: Volume, options: StartOptions): Promise<ChainSlice> {
  const mask = options.metalMask ? body : await dilate(body, { radius: 1, ...options.job });
  const one = volume(sliceAt(sinograms, number).data, [1, ...sinograms.shape.slice(1)]);
  const metalMask = volume(mask.data, [1, ...body.shape]) as Mask;
  const { sliceOf } = await fromReplacement("nmar", one, { ...options, metalMask });
  return { ...(await sliceOf(0)), number };
}

async function fromPhysics(sinograms: Volume, options: StartOptions): Promise<Started> {
  const { geometry, physics, metalMask, plan, job } = options;
  const found = await polychromaticMar(sinograms, geometry, { ...job, physics, metalMask });
  const { images, metal } = found;
  const pixels = await countMetal(metal, sinograms.shape[0]!, sizeOf(geometry.image.shape), job);
  const sliceOf = async (number: number): Promise<ChainSlice> => {
    const [anchor, body] = [sliceAt(images, number), sliceAt(metal, number)];
    const { material = "titanium", density = 1, share = 0, edge } = found.slices[number]!;
    if (share === 0) return { ...(await fromNmar(number, body, sinograms, options)), startShare: ofNmar };
    if (physics.photons < fewPhotons) {
      const replaced = await fromNmar(number, body, sinograms, options);
      return { ...replaced, start: anchor, before: anchor, bone: anchor, startShare: share * ofInversion };
    }
    const known = materialOf(material);
    const level = linearAttenuation(known, physics.referenceKeV, known.density * density);
    const support = await dilate(body, { radius: supportPixels, ...job });
    const path = await plan.project(await combine([[level, body]], job), job);
    const { photons, scatter } = physics;
    const rays = { ...trustBy[edge === "div4" ? edge : "subray"], photons, scatter };
    const trust = await trustOf(sliceAt(sinograms, number), rays, path, job);
    return {
      number,
      target: await plan.project(anchor, job),
      anchor,
      trace: await metalTrace(support, geometry, job),
      metal: body,
      start: anchor,
      before: anchor,
      refinements: 0,
      // what the guard took from NMAR was not measured
      trust: await combine([[share, trust]], job),
    };
  };
  return { images, metal, pixels, verdicts: found.slices, sliceOf };
}
