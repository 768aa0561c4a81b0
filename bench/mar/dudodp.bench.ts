/**
 * Dual-domain diffusion beside the same algorithm written the usual way, in PyTorch and ASTRA (bench/python/dudodp.py): the same network,
 * pairs and number of steps, from noise, on the same threads. Parallel beams, because ASTRA has no FBP of fans on processors.
 *
 *     npm run bench -- mar/dudodp --model RUN [--slices 2] [--steps 20] [--threads 1] [--python .venv/bin/python]
 *
 * Ratios are of processor time, which other work on the machine leaves alone; seconds by the clock stand beside them.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { type DiffusionMarOptions, diffusionMar, openPrior } from "../../lib/mar/index.ts";
import { loadTrained } from "../../lib/models/index.ts";
import { simulateMetalPair } from "../../lib/physics/index.ts";
import { parallelBeam } from "../../lib/tomography/geometry.ts";
import type { Mask } from "./methods.ts";
import { imageSize, marPairs } from "./protocol-pairs.ts";
import { scoreOf } from "./score.ts";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    model: { type: "string" },
    slices: { type: "string", default: "2" },
    steps: { type: "string", default: "20" },
    threads: { type: "string", default: "1" },
    python: { type: "string", default: join(root, ".venv/bin/python") },
  },
});
if (!values.model) throw new Error("Name a folder of `sinogram train` with --model.");
const [slices, steps, threads] = [values.slices, values.steps, values.threads].map(Number) as [number, number, number];
process.env["SINOGRAM_THREADS"] = String(threads);

const pixelMm = 0.369230769;
const geometry = parallelBeam({
  bins: 641,
  binMm: 0.92 * pixelMm,
  angles: Array.from({ length: 640 }, (_, i) => (180 * i) / 640),
  image: { shape: [imageSize, imageSize], pixelMm },
});
const { images: hu, masks: metals } = await marPairs("evaluation", 1);
const plane = (data: Float32Array | Uint8Array, i: number) =>
  data.subarray(i * imageSize ** 2, (i + 1) * imageSize ** 2);
const pairs: { sinogram: Volume<Float32Array>; truth: Volume; metal: Mask }[] = [];
for (let i = 0; i < slices; i++) {
  const metal = volume(plane(metals.data, i) as Uint8Array<ArrayBuffer>, geometry.image.shape) as Mask;
  const image = { data: plane(hu.data, i), shape: [...geometry.image.shape] };
  const { sinogram, image: truth } = await simulateMetalPair(image, metal, { geometry, seed: 1, firstSlice: i });
  pairs.push({ sinogram, truth: truth as Volume, metal });
}
const stack = (arrays: readonly Float32Array[], shape: readonly number[]) => {
  const all = new Float32Array(arrays.length * arrays[0]!.length);
  for (const [i, array] of arrays.entries()) all.set(array, i * array.length);
  return volume(all, [arrays.length, ...shape]);
};
const sinograms = stack(
  pairs.map(({ sinogram }) => sinogram.data),
  pairs[0]!.sinogram.shape,
);
const masks = stack(
  pairs.map(({ metal }) => Float32Array.from(metal.data)),
  geometry.image.shape,
);
const folder = mkdtempSync(join(tmpdir(), "sinogram-dudodp-"));
await writeNpy(join(folder, "sinograms.npy"), sinograms);
await writeNpy(join(folder, "masks.npy"), masks);

interface Timing {
  name: string;
  seconds: number;
  processorSeconds: number;
  psnr: number;
}

async function psnrOf(images: Volume): Promise<number> {
  const size = images.data.length / slices;
  let sum = 0;
  for (const [i, { truth, metal }] of pairs.entries()) {
    const image = volume(images.data.subarray(i * size, (i + 1) * size), geometry.image.shape);
    sum += (await scoreOf(image, truth, metal)).psnr;
  }
  return sum / slices;
}

async function ours(name: string, options: DiffusionMarOptions): Promise<Timing> {
  const [rows, columns] = geometry.image.shape;
  await using prior = await openPrior(await loadTrained(values.model!), { size: [rows, columns], slices, threads });
  await prior.says(volume(new Float32Array(rows * columns), [rows, columns]), 5); // the first run is slower
  const [clock, processor] = [performance.now(), process.cpuUsage()];
  const { images } = await diffusionMar(sinograms, geometry, prior, { ...options, metalMask: masks, seed: 1 });
  const { user, system } = process.cpuUsage(processor);
  const seconds = (performance.now() - clock) / 1000;
  return { name, seconds, processorSeconds: (user + system) / 1e6, psnr: await psnrOf(images) };
}

async function theirs(name: string, hoisted: boolean): Promise<Timing> {
  const [task, output] = [join(folder, "task.json"), join(folder, "images.npy")];
  const { bins, binMm, angles, image } = geometry;
  const scan = { bins, binMm, angles: Array.from(angles), image };
  const files = { sinograms: join(folder, "sinograms.npy"), masks: join(folder, "masks.npy"), output };
  writeFileSync(
    task,
    JSON.stringify({ model: resolve(values.model!), ...files, geometry: scan, steps, threads, seed: 1, hoisted }),
  );
  const { status, stdout, stderr } = spawnSync(values.python, [join(root, "bench/python/dudodp.py"), task], {
    encoding: "utf8",
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  });
  if (status !== 0) throw new Error(`${values.python}: ${stderr}`);
  const images = (await readNpy(output)).array as Volume;
  return { name, ...(JSON.parse(stdout) as { seconds: number; processorSeconds: number }), psnr: await psnrOf(images) };
}

try {
  const published = { start: "noise", fill: "replace", steps } as const;
  const rows = [
    await ours("sinogram, DuDoDp", published),
    await theirs("PyTorch + ASTRA, DuDoDp as published", false),
    await theirs("PyTorch + ASTRA, what is constant made once", true),
    await ours("sinogram, from NMAR, 10 steps", { start: "nmar", steps: 10 }),
  ];
  const first = rows[0]!;
  console.log(
    `| ${steps} steps from noise, ${threads} thread(s) | s per slice | processor s per slice | ratio | PSNR, dB |`,
  );
  console.log("| --- | ---: | ---: | ---: | ---: |");
  for (const { name, seconds, processorSeconds, psnr } of rows) {
    const cells = [seconds / slices, processorSeconds / slices, processorSeconds / first.processorSeconds, psnr];
    console.log(`| ${name} | ${cells.map((value) => value.toFixed(2)).join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
