/**
 * Makes examples/demo: a drawn pelvis with two hip replacements, scanned in software. `node --import tsx scripts/make-demo-case.ts`
 *
 * The scan is simulated on a grid twice as fine as the truth's and with metal displacing tissue, so that reconstruction does not
 * get its own model back.
 */
import { join, resolve } from "node:path";
import { volume } from "../lib/core/arrays.ts";
import { writeFileAtomic } from "../lib/core/files.ts";
import { writeNpy } from "../lib/data/npy.ts";
import {
  correctWater,
  kVp120,
  linearAttenuation,
  materialOf,
  muWater70keV,
  photonNoise,
  polychromatic,
  splitTissue,
} from "../lib/physics/index.ts";
import { fanBeam, fullScan } from "../lib/tomography/geometry.ts";
import { geometryToJson } from "../lib/tomography/geometry-file.ts";
import { project } from "../lib/tomography/project.ts";
import { drawPelvis, fieldOfViewMm, type PelvisImage } from "./pelvis-phantom.ts";

export const demoSize = 512;
export const demoSeed = 20;
const dose = { photons: 2e7, scatter: 20 };

/** A flat fan of a clinical size; images of `size` pixels a side show the same 400 mm. */
export function demoGeometry(size = demoSize) {
  return fanBeam({
    name: "demo pelvis",
    detector: "flat",
    sod: 595,
    sdd: 1085,
    bins: 737,
    binMm: 1.1,
    angles: fullScan(900, { cellCentred: true }),
    image: { shape: [size, size], pixelMm: fieldOfViewMm / size },
  });
}

const muOf = (hu: number) => Math.max(0, muWater70keV * (1 + hu / 1000));

/** What a perfect scan without metal would show, 1/mm, and where metal is (1 = any metal in the pixel). */
export function truthOf(pelvis: PelvisImage) {
  const shape = [pelvis.size, pelvis.size];
  const mu = pelvis.hu.map(muOf);
  const { titanium, iron } = pelvis.metals;
  const mask = Uint8Array.from(titanium, (share, i) => (share + iron[i]! > 0 ? 1 : 0));
  return { truth: volume(mu, shape), mask: volume(mask, shape) };
}

/** The measured sinogram, corrected for water: [views, bins]. */
export async function scan(pelvis: PelvisImage) {
  const geometry = demoGeometry(pelvis.size);
  const shape = geometry.image.shape;
  const { titanium, iron } = pelvis.metals;
  const tissue = pelvis.hu.map((hu, i) => muOf(hu) * (1 - titanium[i]! - iron[i]!));
  const split = await splitTissue({ data: tissue, shape }, { unit: "mu" });
  const metal = async (name: "titanium" | "iron") => {
    const perMm = linearAttenuation(materialOf(name), 70);
    const attenuation = pelvis.metals[name].map((share) => share * perMm);
    return { material: name, paths: await project({ data: attenuation, shape }, geometry) };
  };
  const layers = [
    { material: "water", paths: await project(split.water, geometry) },
    { material: "bone", paths: await project(split.bone, geometry) },
    await metal("titanium"),
    await metal("iron"),
  ] as const;
  const ideal = await polychromatic(layers, { spectrum: kVp120 });
  return correctWater(await photonNoise(ideal, { ...dose, seed: demoSeed }));
}

async function main(folder: string): Promise<void> {
  const { truth, mask } = truthOf(drawPelvis(demoSize, 4));
  const sinogram = await scan(drawPelvis(2 * demoSize, 2));
  await writeNpy(join(folder, "truth.npy"), truth);
  await writeNpy(join(folder, "metal-mask.npy"), mask);
  await writeNpy(join(folder, "sinogram.npy"), sinogram);
  const { angles: _, ...geometry } = geometryToJson(demoGeometry()) as { angles: number[] };
  const json = { ...geometry, angles: { span: 360, count: 900, cellCentred: true } };
  await writeFileAtomic(join(folder, "geometry.json"), `${JSON.stringify(json, null, 2)}\n`);
  console.error(`Wrote ${folder}`);
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename)
  await main(resolve(process.argv[2] ?? join(import.meta.dirname, "../examples/demo")));
