/** The methods that are compared, and what each of them is told. */
import { join } from "node:path";
import type { Volume } from "../../lib/core/arrays.ts";
import { fileDigest } from "../../lib/core/digest.ts";
import { dilate } from "../../lib/image/morphology.ts";
import {
  diffusionMar,
  findMetalInSinograms,
  linearInterpolation,
  type MarPhysics,
  marPhysics,
  nmar,
  openPrior,
  polychromaticMar,
  type SliceVerdict,
} from "../../lib/mar/index.ts";
import { loadTrained, type Precision } from "../../lib/models/index.ts";
import { parsePhysics } from "../../lib/physics/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import type { Geometry } from "../../lib/tomography/geometry.ts";

export type Mask = Volume<Uint8Array<ArrayBuffer>>;

/** One scan to correct, and what a method may know if its row says so. */
export interface Scan {
  sinogram: Volume;
  geometry: Geometry;
  /** Pixels that are metal. */
  mask: Mask;
  /** Of the simulation: rays that met metal, and all rays without it. */
  trace?: Mask;
  cleanSinogram?: Volume;
  /** Per ray without an object, as from the header. */
  photons: number;
}

export interface Outcome {
  image: Volume;
  verdict?: SliceVerdict;
}

export interface Method {
  /** What it is told besides the sinogram and the geometry. */
  told: string;
  run: (scan: Scan) => Promise<Outcome>;
}

/** Metal as the sinogram shows it, a pixel around it: what NMAR gets where nobody says where metal is. */
export async function blindMask({ sinogram, geometry }: Scan): Promise<Mask> {
  return dilate(await findMetalInSinograms(sinogram, geometry), { radius: 1 });
}

const plain = async (image: Promise<Volume>): Promise<Outcome> => ({ image: await image });

function polychromatic(physics: (scan: Scan) => MarPhysics, options: { guarded: boolean; knowsMask?: boolean }) {
  return async (scan: Scan): Promise<Outcome> => {
    const { guarded, knowsMask = false } = options;
    const metalMask = knowsMask ? scan.mask : undefined;
    const given = { physics: physics(scan), guarded, metalMask };
    const { images, slices } = await polychromaticMar(scan.sinogram, scan.geometry, given);
    return { image: images, verdict: slices[0]! };
  };
}

const field = marPhysics(parsePhysics({ name: "syndeeplesion-ti" }));
const unknown = ({ photons }: Scan): MarPhysics => ({ ...marPhysics("auto"), photons });

/** `auto` without its network. */
export const physicsAlone = "auto --model none";

const uncorrected: Method = { told: "", run: ({ sinogram, geometry }) => plain(fbp(sinogram, geometry)) };

export const shippedModel = join(import.meta.dirname, "../../models/ct-prior");

/**
 * `diffusion`, from NMAR, and `auto`, from polychromatic inversion, by the network in a folder of `sinogram train`; one that is not the
 * shipped one is named after its weights. On the field's pairs the mask is told to diffusion, as to NMAR there.
 */
export async function networkMethods(
  model = shippedModel,
  { knowsMask = false, precision }: { knowsMask?: boolean; precision?: Precision | undefined } = {},
): Promise<{ [name: string]: Method }> {
  const trained = await loadTrained(model, { precision });
  const { sha256 } = await fileDigest(join(model, "weights.safetensors"));
  const name = (method: string) =>
    [method, ...(model === shippedModel ? [] : [sha256.slice(0, 6)]), ...(precision === "int8" ? ["int8"] : [])].join(
      " ",
    );
  const by = (start: "nmar" | "polychromatic") => async (scan: Scan) => {
    const [rows, columns] = scan.geometry.image.shape;
    await using prior = await openPrior(trained, { size: [rows, columns] });
    const metalMask = knowsMask && start === "nmar" ? scan.mask : undefined;
    const options = { metalMask, start, physics: unknown(scan), seed: 1 };
    const { images, slices } = await diffusionMar(scan.sinogram, scan.geometry, prior, options);
    const { verdict } = slices[0]!;
    return { image: images, ...(verdict && { verdict }) };
  };
  return {
    [name("diffusion")]: { told: `photons${knowsMask ? ", mask" : ""}; a network`, run: by("nmar") },
    [name("auto")]: { told: "photons; a network", run: by("polychromatic") },
  };
}

/** On the field's pairs, whose trace belongs to them. */
export const protocolMethods = {
  uncorrected,
  "LI true trace": {
    told: "trace, mask",
    run: ({ sinogram, trace, mask, geometry }) =>
      plain(linearInterpolation(sinogram, { trace, metalMask: mask }, geometry)),
  },
  "NMAR true trace": {
    told: "trace, mask",
    run: ({ sinogram, trace, mask, geometry }) => plain(nmar(sinogram, { trace, metalMask: mask }, geometry)),
  },
  "NMAR blind": {
    told: "",
    run: async (scan) => plain(nmar(scan.sinogram, { metalMask: await blindMask(scan) }, scan.geometry)),
  },
  "rays without metal": {
    told: "the scan without metal: the ceiling of inpainting",
    run: ({ cleanSinogram, geometry }) => plain(fbp(cleanSinogram!, geometry)),
  },
  "polychromatic all known": {
    told: "mask, titanium and its density, spectrum, edge model: an upper anchor, not a result",
    run: polychromatic(() => field, { guarded: false, knowsMask: true }),
  },
  "polychromatic mask unknown": {
    told: "titanium and its density, spectrum, edge model",
    run: polychromatic(() => field, { guarded: false }),
  },
  [physicsAlone]: { told: "spectrum", run: polychromatic(unknown, { guarded: true }) },
} as const satisfies Record<string, Method>;

/** On scans of the other simulator. */
export const mismatchMethods = {
  uncorrected,
  LI: {
    told: "",
    run: async (scan) => plain(linearInterpolation(scan.sinogram, { metalMask: await blindMask(scan) }, scan.geometry)),
  },
  NMAR: {
    told: "",
    run: async (scan) => plain(nmar(scan.sinogram, { metalMask: await blindMask(scan) }, scan.geometry)),
  },
  "NMAR true mask": {
    told: "mask",
    run: async ({ sinogram, mask, geometry }) =>
      plain(nmar(sinogram, { metalMask: await dilate(mask, { radius: 1 }) }, geometry)),
  },
  polychromatic: { told: "photons", run: polychromatic(unknown, { guarded: false }) },
  [physicsAlone]: { told: "photons", run: polychromatic(unknown, { guarded: true }) },
} as const satisfies Record<string, Method>;
