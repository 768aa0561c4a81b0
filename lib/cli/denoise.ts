/** `sinogram denoise`: noise out of images, by a trained network or a classic. */
import type { Volume } from "../core/arrays.ts";
import { isCodedError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { planesOf } from "../image/input.ts";
import { clip } from "../image/pixels.ts";
import { type DrawOptions, type RestorationModel, restorationModel } from "../models/index.ts";
import { isConditional } from "../models/trained.ts";
import {
  type ClassicalDenoiser,
  denoiseByNetwork,
  denoise as denoiseClassically,
  seenHu,
  volumeDenoisers,
} from "../restore/denoise.ts";
import { quietPlaces } from "../restore/quiet.ts";
import { sliceRoughness } from "../restore/slice-roughness.ts";
import { type Command, jobOptions, quietly, type Run } from "./command.ts";
import { type Explained, explained } from "./explained.ts";
import { UsageError } from "./failure.ts";
import { checkFits, int8, type Made, type RestoredOptions, restored, type Source } from "./restored.ts";

export interface DenoiseOptions extends RestoredOptions, DrawOptions {
  method: ClassicalDenoiser | "network" | "auto";
  model?: string;
  strength?: number;
  sigma?: number;
  /** All slices as one volume. */
  volume?: boolean;
  sliceMm?: number;
}

const shippedFor: Readonly<Record<string, string>> = { CT: "low-dose-ct" };

export function denoise(input: string, given: DenoiseOptions): Command {
  return (run) => {
    const { method, model, sigma } = given;
    if (model !== undefined && method !== "network" && method !== "auto")
      throw new UsageError(`--model is for --method network; ${method} has none.`);
    if (sigma !== undefined && !["nlm", "bm3d", "tv", "bilateral", "auto"].includes(method))
      throw new UsageError(`--sigma is for nlm, bm3d, tv and bilateral, not for ${method}.`);
    checkVolume(given);
    const make = (source: Source) => made(source, given, run);
    return restored(input, given, { command: "denoise", title: "Denoising", make }, run);
  };
}

function checkVolume({ volume, sliceMm, method }: DenoiseOptions): void {
  if (sliceMm !== undefined && !volume) throw new UsageError("--slice-mm is for --volume: add that too.");
  if (volume && !volumeDenoisers.includes(method as never))
    throw new UsageError(`--volume is for --method ${volumeDenoisers.join(", ")}; ${method} takes slices one by one.`);
}

/** What is asked of all slices as one volume; undefined: each by itself. */
function volumeOf(source: Source, given: DenoiseOptions, run: Run) {
  if (!given.volume) return undefined;
  const sliceMm = given.sliceMm ?? source.sliceMm;
  if (sliceMm === undefined)
    run.console.warn(
      `${source.input} does not say how far its slices lie apart: taking one pixel. Say it with --slice-mm.`,
    );
  const [row, column] = source.pixelMm;
  return { dimensions: 3, sampling: [sliceMm ?? Math.sqrt(row * column), row, column] } as const;
}

/** What slices beside each other have in common, before and after. */
async function consistency(before: Volume, after: Volume, run: Run): Promise<Made["facts"]> {
  if (before.shape.length !== 3 || before.shape.some((n) => n < 2)) return [];
  const [a, b] = [await sliceRoughness(before, quietly(run)), await sliceRoughness(after, quietly(run))];
  if (!Number.isFinite(a.ratio) || !Number.isFinite(b.ratio)) return [];
  return [["Roughness between slices / within", `${a.ratio.toFixed(2)} before, ${b.ratio.toFixed(2)} after`]];
}

async function made(source: Source, given: DenoiseOptions, run: Run): Promise<Made> {
  const { strength = 1 } = given;
  const chosen = await modelFor(source, given, run);
  if (chosen) {
    const { name, weightsSha256, licence } = chosen;
    if (given.explain && isConditional(chosen.trained))
      throw new UsageError(`--explain is for networks that answer in one run; ${name} draws out of noise.`);
    const drawing = drawingOf(chosen, given);
    const options = { ...jobOptions(run), ...drawing, strength, threads: run.options.threads };
    const images = await denoiseByNetwork(source.images, chosen, options);
    const rough = await consistency(source.images, images, run);
    const why = given.explain ? await explainedIn(source, images, chosen, run) : undefined;
    return {
      images,
      ...(why && { explained: why.explained }),
      description: `Denoised, ${name}`.slice(0, 40),
      derivation: `Denoised by sinogram ${version} with the network ${name} at strength ${strength}.`,
      configuration: {
        operation: "denoise",
        version,
        method: "network",
        model: name,
        weightsSha256,
        strength,
        ...drawing,
        ...int8(given),
      },
      facts: [
        ["Method", `network ${name}`],
        ["Strength", String(strength)],
        ...Object.entries(drawing).map(
          ([what, n]) => [`${what[0]!.toUpperCase()}${what.slice(1)}`, String(n)] as const,
        ),
        ...(licence ? ([["Licence of the model", licence]] as const) : []),
        ...rough,
        ...(why?.facts ?? []),
      ],
      notes: [
        "A network can take away small faint structures together with noise: look at the difference.",
        ...(why?.notes ?? []),
      ],
    };
  }
  if (given.precision === "int8") throw new UsageError("--precision int8 is for networks.");
  const told = drawingOptions.find((name) => given[name] !== undefined);
  if (told) throw new UsageError(`--${told} is for networks.`);
  if (given.explain) throw new UsageError("--explain is for networks; a classic's change is the same everywhere.");
  const method = given.method === "auto" || given.method === "network" ? "bm3d" : given.method;
  const sigma = given.sigma ?? (await sigmaOf(source, run));
  const volume = volumeOf(source, given, run);
  const options = { ...jobOptions(run), method, strength, sigma, ...volume };
  const images = await denoiseClassically(source.images, options);
  return {
    images,
    description: `Denoised, ${method}`,
    derivation: `Denoised by sinogram ${version} with ${method} at strength ${strength}.`,
    configuration: { operation: "denoise", version, method, strength, sigma, ...volume },
    facts: [
      ["Method", method],
      ["Strength", String(strength)],
      ["Noise", sigma === undefined ? "estimated slice by slice" : `σ ${sigma.toPrecision(3)}`],
      ...(await consistency(source.images, images, run)),
    ],
    notes: [
      volume
        ? `Slices are denoised together, as a volume with ${volume.sampling[0].toPrecision(3)} mm from slice to slice.`
        : "Slices are denoised one by one.",
    ],
  };
}

const drawingOptions = ["steps", "seed", "draws"] as const;

/** How a network draws, written out; what one that answers at once is told goes on to where it is refused. */
function drawingOf({ trained }: RestorationModel, { steps, seed, draws }: DrawOptions): DrawOptions {
  if (!isConditional(trained)) return { steps, seed, draws };
  return { steps: steps ?? 10, seed: seed ?? 0, draws: draws ?? 1 };
}

/** Padding is shown to a CT network as air. */
async function explainedIn(source: Source, after: Volume, model: RestorationModel, run: Run): Promise<Explained> {
  const { images: before, modality } = source;
  const seen = model.unit === "HU" ? await clip(before, ...seenHu, quietly(run)) : before;
  return explained({ before, after, model, seen, modality: modality ?? model.modality }, run);
}

/** The network that was asked for, or that suits; undefined: a classic. */
async function modelFor(source: Source, given: DenoiseOptions, run: Run): Promise<RestorationModel | undefined> {
  const { method, model } = given;
  if (method !== "network" && method !== "auto") return undefined;
  const isOptional = method === "auto" && model === undefined;
  const name = model ?? shippedFor[source.modality ?? ""];
  if (name === undefined) {
    if (isOptional) return undefined;
    throw new UsageError(
      source.modality === undefined
        ? `${source.input} does not say its modality: add --modality ct where it holds HU, or name a --model.`
        : `No model is shipped for ${source.modality}: name one with --model, or choose a method without.`,
    );
  }
  try {
    const found = await restorationModel(name, { precision: given.precision });
    await checkFits(found, source, run);
    return found;
  } catch (error) {
    if (!isOptional || !isCodedError(error)) throw error;
    run.console.warn(`${error.message} Taking bm3d.`);
    return undefined;
  }
}

/** Of the quietest places of the middle slice; noise of CT is correlated, and looks smaller pixel by pixel. */
async function sigmaOf({ images, modality }: Source, run: Run): Promise<number | undefined> {
  const { slices } = planesOf(images.shape);
  const least = modality === "CT" ? -300 : undefined;
  const places = await quietPlaces(images, {
    ...quietly(run),
    slice: slices >> 1,
    ...(least !== undefined && { least }),
  });
  return places?.sigma;
}
