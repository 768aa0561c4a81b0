/**
 * Metal-artefact reduction by the field's protocol (SynDeepLesion: geometry, physics and evaluation), on pairs simulated here:
 * 416², 640 views, titanium, 2·10⁷ photons. The same simulator and reconstruction on both sides, as in the field; it says how
 * methods compare under that protocol, not how they do on a scanner.
 *
 *     node --import tsx bench/pipelines/mar-benchmark.ts [--set evaluation|tuning|trunk|all] [--rounds 5] [--material titanium] [--methods uncorrected,li,nmar,true-rays] [--out FILE.json]
 *
 * Ten pairs per round. "true-rays" is the ceiling of inpainting: the metal-free measurement inside the trace.
 */
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ArrayLike, type Volume, volume } from "../../lib/core/arrays.ts";
import { writeFileAtomic } from "../../lib/core/files.ts";
import { linearInterpolation, nmar } from "../../lib/mar/index.ts";
import { evaluate, type Metrics } from "../../lib/metrics/index.ts";
import { type MetalPair, simulateMetalPair } from "../../lib/physics/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { marPairs, type PairSet, type Pairs, pairSets, sizeGroups } from "./mar-pairs.ts";

type Method = (pair: MetalPair, metalMask: Volume<Uint8Array<ArrayBuffer>>, geometry: Geometry) => Promise<ArrayLike>;

const methods: Record<string, Method> = {
  uncorrected: ({ sinogram }, _, geometry) => fbp(sinogram, geometry),
  li: ({ sinogram, trace }, metalMask, geometry) => linearInterpolation(sinogram, { trace, metalMask }, geometry),
  nmar: ({ sinogram, trace }, metalMask, geometry) => nmar(sinogram, { trace, metalMask }, geometry),
  "true-rays": ({ cleanSinogram }, _, geometry) => fbp(cleanSinogram, geometry),
};

/** Pairs first … first + count of the set, as views. */
function part({ images, masks }: Pairs, first: number, count: number) {
  const [, rows, columns] = images.shape as [number, number, number];
  const cut = <T extends Float32Array | Uint8Array>(data: T) =>
    data.subarray(first * rows * columns, (first + count) * rows * columns) as T;
  const shape = [count, rows, columns];
  return { images: volume(cut(images.data), shape), masks: volume(cut(masks.data), shape) };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

interface Row {
  method: string;
  psnr: number[];
  ssim: number[];
  secondsPerPair: number;
}

function table(rows: readonly Row[], group: readonly number[]): string {
  const cells = ({ method, psnr, ssim, secondsPerPair }: Row) => {
    const of = (pick: (i: number) => boolean) => {
      const chosen = group.flatMap((_, i) => (pick(i) ? [i] : []));
      return `${mean(chosen.map((i) => psnr[i]!)).toFixed(2)}/${mean(chosen.map((i) => ssim[i]!)).toFixed(4)}`;
    };
    return [method, ...sizeGroups.map((_, g) => of((i) => group[i] === g)), of(() => true), secondsPerPair.toFixed(2)];
  };
  const lines = [["PSNR/SSIM", ...sizeGroups, "average", "s/pair"], ...rows.map(cells)];
  return lines
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(12) : cell.padStart(13))).join(" "))
    .join("\n");
}

const { values } = parseArgs({
  options: {
    set: { type: "string", default: "evaluation" },
    rounds: { type: "string", default: "5" },
    material: { type: "string", default: "titanium" },
    methods: { type: "string", default: Object.keys(methods).join(",") },
    batch: { type: "string", default: "16" },
    out: { type: "string" },
  },
});
const names = values.methods.split(",");
const unknown = names.find((name) => !Object.hasOwn(methods, name));
if (unknown) throw new Error(`Expected methods among ${Object.keys(methods).join(", ")} but received ${unknown}.`);
if (!pairSets.includes(values.set as PairSet))
  throw new Error(`Expected --set ${pairSets.join(", ")} but received ${values.set}.`);
const batch = Number(values.batch);
const geometry = await readGeometry(join(import.meta.dirname, "../../examples/geometry/syndeeplesion-640.json"));
const pairs = await marPairs(values.set as PairSet, Number(values.rounds));
const total = pairs.group.length;
const rows: Row[] = names.map((method) => ({ method, psnr: [], ssim: [], secondsPerPair: 0 }));
let simulated = 0;
for (let first = 0; first < total; first += batch) {
  const { images, masks } = part(pairs, first, Math.min(batch, total - first));
  let start = performance.now();
  const pair = await simulateMetalPair(images, masks, {
    geometry,
    material: values.material,
    seed: 1,
    firstSlice: first,
  });
  simulated += performance.now() - start;
  for (const row of rows) {
    start = performance.now();
    const result = await methods[row.method]!(pair, masks, geometry);
    row.secondsPerPair += (performance.now() - start) / 1000 / total;
    const { slices } = await evaluate(result, pair.image, { mask: masks, protocol: "syndeeplesion" });
    row.psnr.push(...slices.map((slice: Metrics) => slice.psnr));
    row.ssim.push(...slices.map((slice: Metrics) => slice.ssim));
  }
  process.stderr.write(`\r${Math.min(total, first + batch)}/${total} pairs`);
}
process.stderr.write("\n");
console.log(
  `${total} pairs (${values.set}), ${values.material}, simulated at ${(total / (simulated / 1000)).toFixed(1)} pairs/s\n`,
);
console.log(table(rows, pairs.group));
if (values.out) {
  const machine = { processor: cpus()[0]?.model ?? "unknown", threads: availableParallelism(), node: process.version };
  const report = {
    protocol: "syndeeplesion",
    set: values.set,
    material: values.material,
    machine,
    pairsPerSecond: total / (simulated / 1000),
    group: pairs.group.map((g) => sizeGroups[g]),
    patient: pairs.patient,
    methods: rows.map((row) => ({ ...row, averagePsnr: mean(row.psnr), averageSsim: mean(row.ssim) })),
  };
  await writeFileAtomic(values.out, `${JSON.stringify(report, null, 2)}\n`);
}
