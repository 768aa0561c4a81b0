/** One sinogram file to an image file, image.npy. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { sizeOf, volume } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { ioError } from "../core/files.ts";
import { parseArraySpec, readArray } from "../data/array-files.ts";
import { encodeNpy } from "../data/npy.ts";
import { toHounsfield } from "../image/hounsfield.ts";
import { muWater70keV } from "../physics/constants.ts";
import type { Geometry } from "../tomography/geometry.ts";
import { createPlan, type Plan, type PlanOptions } from "../tomography/plan.ts";
import { PassingChecksum } from "./checksum.ts";
import type { Share } from "./gate.ts";
import type { PlannedJob } from "./job.ts";
import { memoryFor } from "./memory.ts";
import { writeWithChecksum } from "./result.ts";
import type { Work } from "./work.ts";

/** Slices that native/recon/fbp.cc has in hand. */
const slicesAtOnce = 16;

/** Bytes: as stored, as float32 where the file is something else, and the images; in turn, filtered views and their copy. */
async function fileBytes(path: string, { angles, bins, image }: Geometry, hu: boolean): Promise<Share> {
  const { size } = await stat(path).catch((error) => {
    throw ioError("read", path, error);
  });
  const rays = angles.length * bins;
  const slices = Math.max(1, Math.ceil(size / (4 * rays)));
  const converted = /\.(npy|raw|f32)$/i.test(path) ? 0 : size;
  const images = slices * sizeOf(image.shape) * (hu ? 8 : 4);
  return { own: size + converted + images, inTurn: Math.min(slices, slicesAtOnce) * rays * 8 };
}

let latest: { plan: Plan; configHash: string } | undefined;

/** The plan of the last job where this one has the same geometry and options, which is what the hash stands for. */
async function planFor({ configHash }: PlannedJob, geometry: Geometry, options: PlanOptions): Promise<Plan> {
  if (latest?.configHash === configHash) return latest.plan;
  latest?.plan.dispose();
  latest = undefined;
  const plan = await createPlan(geometry, { ...options, operations: [] });
  latest = { plan, configHash };
  return plan;
}

/** Headers get memory of their own; the elements of a job follow those of the last one. */
function bytesFor(length: number): Uint8Array<ArrayBuffer> {
  if (length < 2 ** 16) return new Uint8Array(length);
  const { buffer, byteOffset } = memoryFor("sinograms", Math.ceil(length / 4));
  return new Uint8Array(buffer, byteOffset, length);
}

export const reconstructFile: Work = async (job, context) => {
  const { filter = "ram-lak", cutoff = 1, hu = false, muWater = muWater70keV } = job.options;
  const { signal, device } = context;
  const { path } = parseArraySpec(job.input);
  const geometry = job.geometry!;
  await context.reserve(await fileBytes(path, geometry, hu));
  const passing = await PassingChecksum.start();
  const { array } = await context.timed("reading", () =>
    readArray(job.input, { reading: { memory: bytesFor, watch: (bytes, start) => passing.see(bytes, start) } }),
  );
  signal.throwIfAborted();
  if (array.shape.length < 2 || array.shape.length > 3 || array.data.length === 0)
    throw sinoError(
      "ERR_SINO_SHAPE",
      `Expected a sinogram [view, bin], or a batch of them, in ${path} but found an array of shape [${array.shape.join(", ")}].`,
    );
  const images = await context.computing(async () => {
    const shape = [...array.shape.slice(0, -2), ...geometry.image.shape];
    const out = volume(memoryFor("images", sizeOf(shape)), shape);
    const plan = await planFor(job, geometry, { filter, cutoff });
    const attenuation = await plan.fbp(array, { out, signal, device });
    return hu ? toHounsfield(attenuation, muWater, { signal, device }) : attenuation;
  });
  await context.commit(async (folder) => {
    await mkdir(folder);
    const image = await writeWithChecksum(join(folder, "image.npy"), ...encodeNpy(images));
    const checksum = await passing.of(path);
    return {
      inputFiles: [path],
      inputChecksums: new Map(checksum ? [[path, checksum]] : []),
      outputs: { "image.npy": image },
      slices: images.shape.length === 3 ? images.shape[0]! : 1,
      warnings: [],
      details: {
        filter,
        cutoff,
        unit: hu ? "HU" : "1/mm",
        ...(hu ? { muWater } : {}),
        shape: images.shape,
        pixelMm: geometry.image.pixelMm,
      },
    };
  });
};
