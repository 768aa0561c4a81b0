/** A simulated scan: an image, and metal in it where there is some, through all the physics of `Physics`. docs/simulation.md */
import { type ArrayLike, checkArray, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { gaussian } from "../image/gaussian.ts";
import { requireFinite, select, threshold } from "../image/pixels.ts";
import { resample } from "../image/resample.ts";
import type { OperationOptions } from "../native/job.ts";
import { batchOf } from "../tomography/batch.ts";
import { type Geometry, requireGeometry } from "../tomography/geometry.ts";
import { project } from "../tomography/project.ts";
import { detectedPhotons, detectorResponse, lowerDose, meanIntensity } from "./detector.ts";
import { type ImageUnit, type Layer, metalPaths, polychromatic, splitTissue } from "./forward.ts";
import { linearAttenuation } from "./materials.ts";
import { checkSeed, photonNoise } from "./noise.ts";
import { type Physics, parsePhysics } from "./physics.ts";
import { onFinerGrid, quarterShifted, raysOf } from "./rays.ts";
import { correctWater } from "./water-correction.ts";

export interface SimulateScanOptions extends OperationOptions {
  geometry: Geometry;
  /** Seed of all noise. */
  seed: number;
  /** Default the field's protocol, `parsePhysics({})`. */
  physics?: Physics | undefined;
  /** Not 0 where metal is: [rows, columns] for all images or one per image; or a whole multiple of that, an outline finer than pixels. */
  metalMask?: ArrayLike | undefined;
  /** Number of the first slice, so that a set simulated in pieces draws the same noise as at once; default 0. */
  firstSlice?: number | undefined;
  /** Unit of the images; default "hu". */
  unit?: ImageUnit | undefined;
}

export interface SimulatedScan {
  /** As measured, corrected for water, dimensionless: [views, bins] or [slices, views, bins]. */
  sinogram: Volume<Float32Array>;
  /** With metal: the same scan without it. */
  cleanSinogram?: Volume<Float32Array>;
  /** With metal: 1 where a ray meets it. */
  trace?: Volume<Uint8Array<ArrayBuffer>>;
  /** With `dose` below 1: the scan at full dose. */
  fullDoseSinogram?: Volume<Float32Array>;
  /** The image without metal as attenuation, 1/mm. */
  image: Volume<Float32Array>;
  /** Of the sinograms: the given one, or moved by a quarter of a bin. */
  geometry: Geometry;
}

type Job = OperationOptions;

/** Noise streams of one seed. */
const countingStream = 0;
const doseStream = 1;

const quiet = ({ signal, device }: Job): Job => ({ signal, device });

/** How many mask pixels stand in one image pixel along an axis. Throws ERR_SINO_SHAPE where that is no whole number, or masks are too few. */
function maskFactor(mask: ArrayLike, lead: readonly number[], [rows, columns]: readonly [number, number]): number {
  checkArray(mask, "metalMask", [2, 3]);
  const [height, width] = mask.shape.slice(-2) as [number, number];
  const factor = height / rows;
  if (!Number.isInteger(factor) || factor < 1 || width !== columns * factor)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a metal mask of ${rows} × ${columns} as the image, or a whole multiple of it, but received shape ${show([...mask.shape])}: a mask reaches neither outside the image nor over part of it.`,
      { details: { shape: mask.shape, expected: [rows, columns] } },
    );
  if (mask.shape.length === 3 && mask.shape[0] !== (lead[0] ?? 1))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected one metal mask [rows, columns], or one per image, but received masks of shape ${show([...mask.shape])} for ${lead.length ? `${lead[0]} images` : "a single image"}.`,
    );
  return factor;
}

/** The mask on a grid finer by `factor`, its staircase smoothed at half level. */
async function smoothOutline(mask: ArrayLike, factor: number, job: Job): Promise<ArrayLike> {
  const [rows, columns] = mask.shape.slice(-2) as [number, number];
  const coarse = await select(mask, 1, 0, job);
  const fine = await resample(coarse, { ...job, shape: [rows * factor, columns * factor], method: "linear" });
  return threshold(await gaussian(fine, { ...job, sigma: factor / 2 }), 0.5, job);
}

/** One array for all slices, by a stride of zero. */
const repeated = ({ data, shape, stride, offset }: ArrayLike, lead: readonly number[]): ArrayLike =>
  shape.length === 3 || lead.length === 0
    ? { data, shape, ...(stride ? { stride } : {}), offset: offset ?? 0 }
    : { data, shape: [...lead, ...shape], stride: [0, ...(stride ?? [shape[1]!, 1])], offset: offset ?? 0 };

/** Weights of neighbouring bins: crosstalk, and the smooth share of scatter. */
export function detectorKernel(physics: Physics, binMm: number): number[] {
  const { crosstalk: c, scatter } = physics;
  const sigma = scatter.sigmaMm / Math.abs(binMm);
  const reach = scatter.fraction > 0 ? Math.min(4096, Math.max(1, Math.ceil(3 * sigma))) : c > 0 ? 1 : 0;
  const weights = Array.from({ length: 2 * reach + 1 }, (_, j) => Math.exp(-0.5 * ((j - reach) / sigma) ** 2));
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w, j) => {
    const distance = Math.abs(j - reach);
    return (distance === 0 ? 1 - c : distance === 1 ? c / 2 : 0) + (scatter.fraction * w) / total;
  });
}

/** The bow-tie's line integrals at the reference energy, one per ray of the detector; undefined where there is none. */
function bowtiePaths(physics: Physics, rays: number): Volume | undefined {
  if (!physics.bowtie) return undefined;
  const { material, centreMm, edgeMm } = physics.bowtie;
  const perMm = linearAttenuation(material, physics.referenceKeV);
  const half = Math.max(1, (rays - 1) / 2);
  const at = (k: number) => perMm * (centreMm + (edgeMm - centreMm) * ((k - (rays - 1) / 2) / half) ** 2);
  return volume(
    Float32Array.from({ length: rays }, (_, k) => at(k)),
    [rays],
  );
}

/** From layers along each set of rays to what the detector reports before noise. */
class Detector {
  readonly #physics: Physics;
  readonly #bins: number;
  readonly #kernel: number[];
  readonly #job: Job;
  readonly #bowtie: Volume | undefined;
  /** Line integrals of the bow-tie alone, one per bin. */
  air: Float32Array | undefined;

  constructor(physics: Physics, { bins, binMm }: Geometry, job: Job) {
    this.#physics = physics;
    this.#bins = bins;
    this.#kernel = detectorKernel(physics, binMm);
    this.#job = job;
    this.#bowtie = bowtiePaths(physics, bins * physics.rays.perBin);
  }

  async calibrate(): Promise<void> {
    if (!this.#bowtie) return;
    const collected = await this.#collect([[]], [this.#bins * this.#physics.rays.perBin]);
    this.air = (await detectorResponse(collected, { ...this.#job, kernel: this.#kernel })).data;
  }

  /** Line integrals [..., bins] of several sets of layers, [..., bins · perBin] each. */
  async report(sets: readonly (readonly Layer[])[]): Promise<Volume<Float32Array>> {
    const collected = await this.#collect(sets, sets[0]![0]!.paths.shape);
    const { constant: floor } = this.#physics.scatter;
    if (this.#kernel.length === 1 && floor === 0 && !this.air) return collected;
    return detectorResponse(collected, { ...this.#job, kernel: this.#kernel, floor, air: this.air });
  }

  async #collect(sets: readonly (readonly Layer[])[], shape: readonly number[]): Promise<Volume<Float32Array>> {
    const { spectrum, referenceKeV, bowtie, rays } = this.#physics;
    const filter: Layer[] = [];
    if (bowtie && this.#bowtie) {
      const stride = shape.map((_, axis) => (axis === shape.length - 1 ? 1 : 0));
      filter.push({ material: bowtie.material, paths: { data: this.#bowtie.data, shape, stride, offset: 0 } });
    }
    const intensities: Volume<Float32Array>[] = [];
    for (const layers of sets)
      intensities.push(await polychromatic([...layers, ...filter], { ...this.#job, spectrum, referenceKeV }));
    if (intensities.length === 1 && rays.perBin === 1) return intensities[0]!;
    return meanIntensity(intensities, { ...this.#job, parts: rays.perBin });
  }
}

/** Counts photons, takes dose away, corrects for water. */
async function counted(
  ideal: Volume<Float32Array>,
  air: Float32Array | undefined,
  first: number,
  options: SimulateScanOptions,
  physics: Physics,
) {
  const job = quiet(options);
  const { photons, electronicNoise, dose, waterCorrection } = physics;
  const noise = { ...job, seed: options.seed, first, photons };
  const corrected = async (p: Volume<Float32Array>): Promise<Volume<Float32Array>> =>
    waterCorrection.length === 1 && waterCorrection[0] === 1 ? p : correctWater(p, waterCorrection, job);
  if (!Number.isFinite(photons)) return { sinogram: await corrected(ideal) };
  const scatter = physics.scatter.photons;
  const full =
    electronicNoise === 0 && !air
      ? await photonNoise(ideal, { ...noise, stream: countingStream, scatter })
      : await detectedPhotons(ideal, { ...noise, stream: countingStream, scatter, electronicNoise, air });
  if (dose === 1) return { sinogram: await corrected(full) };
  const less = await lowerDose(full, { ...noise, stream: doseStream, electronicNoise, air, fraction: dose });
  return { sinogram: await corrected(less), fullDose: await corrected(full) };
}

interface Tissue {
  water: ArrayLike;
  bone: ArrayLike;
}

/** Both tissues along every ray, projected together. */
async function tissueLayers({ water, bone }: Tissue, geometry: Geometry, job: Job): Promise<Layer[]> {
  return [
    { material: "water", paths: await project(water, geometry, job) },
    { material: "bone", paths: await project(bone, geometry, job) },
  ];
}

/**
 * Simulates a scan of images [rows, columns] or [slices, rows, columns], and with `metalMask` the same scan with metal. Both
 * draw the same random numbers, so that they are equal outside the trace. Everything else is said by `physics`.
 * Throws ERR_SINO_SHAPE, ERR_SINO_ARG_TYPE, ERR_SINO_OUT_OF_RANGE, ERR_SINO_UNSUPPORTED, ERR_SINO_OUT_OF_MEMORY.
 *
 * @example
 * const physics = parsePhysics({ metal: { material: "cocr", edge: "subray" }, photons: 1e6 });
 * const { sinogram, trace } = await simulateScan(hu, { geometry, physics, metalMask, seed: 1 });
 */
export async function simulateScan(images: ArrayLike, options: SimulateScanOptions): Promise<SimulatedScan> {
  const { physics = parsePhysics({}), metalMask, unit = "hu" } = options;
  const job = { ...quiet(options), onProgress: options.onProgress };
  requireGeometry(options.geometry);
  checkSeed(options.seed);
  const geometry = physics.quarterShift ? quarterShifted(options.geometry) : options.geometry;
  const { lead } = await batchOf(images, "images", geometry.image.shape, "rows × columns", job);
  const given = metalMask ? maskFactor(metalMask, lead, geometry.image.shape) : 1;
  await requireFinite(images, "images", job);

  const { metal, muWater, tissue: split } = physics;
  const isSmooth = metalMask !== undefined && metal.edge === "subray" && given === 1;
  const factor = isSmooth ? metal.supersample : given;
  const tissue = await splitTissue(images, { ...job, unit, muWater, ...split });
  const [rows, columns] = geometry.image.shape;
  const shape = [rows * factor, columns * factor] as const;
  const finer = async (image: Volume<Float32Array>) =>
    factor === 1 ? image : resample(image, { ...job, shape, method: "nearest" });
  // without metal underneath the image's own grid gives the same rays faster
  const isReplaced = metalMask !== undefined && metal.tissue === "replaced";
  const onGrid: Tissue = isReplaced ? { water: await finer(tissue.water), bone: await finer(tissue.bone) } : tissue;
  const mask = metalMask && (isSmooth && factor > 1 ? await smoothOutline(metalMask, factor, job) : metalMask);

  const rays = raysOf(geometry, physics.rays);
  const detector = new Detector(physics, geometry, job);
  await detector.calibrate();
  const clean: Layer[][] = [];
  for (const one of rays) clean.push(await tissueLayers(onGrid, onFinerGrid(one, isReplaced ? factor : 1), job));
  const first = (options.firstSlice ?? 0) * geometry.angles.length * geometry.bins;
  const scan = async (layers: Layer[][]) =>
    counted(await detector.report(layers), detector.air, first, options, physics);
  const plain = await scan(clean);
  const result = (measured: Awaited<ReturnType<typeof scan>>) => ({
    sinogram: measured.sinogram,
    ...(measured.fullDose ? { fullDoseSinogram: measured.fullDose } : {}),
    image: tissue.mu,
    geometry,
  });
  if (!mask) return result(plain);

  const opaque = await select(mask, 1, 0, job);
  const everywhere = repeated(mask, lead);
  const around: Tissue | undefined = isReplaced
    ? {
        water: await select(everywhere, 0, onGrid.water, job),
        bone: await select(everywhere, 0, onGrid.bone, job),
      }
    : undefined;
  const attenuation = linearAttenuation(metal.material, physics.referenceKeV, metal.density);
  const edge = metal.edge === "div4" ? "div4" : "none";
  const lengths: ArrayLike[] = [];
  const withMetal: Layer[][] = [];
  for (const [i, one] of rays.entries()) {
    const fine = onFinerGrid(one, factor);
    const length = repeated(await project(opaque, fine, job), lead);
    const { paths } = await metalPaths(length, { ...job, attenuation, edge });
    const layers = around ? await tissueLayers(around, fine, job) : clean[i]!;
    lengths.push(length);
    withMetal.push([...layers, { material: metal.material, paths }]);
  }
  // a bin is in the trace where any of its rays meets metal
  const isOne = rays.length === 1 && physics.rays.perBin === 1;
  const met = isOne ? lengths[0]! : await meanIntensity(lengths, { ...job, parts: physics.rays.perBin });
  const { trace } = await metalPaths(met, { ...job, attenuation: 1 });
  return { ...result(await scan(withMetal)), cleanSinogram: plain.sinogram, trace };
}
