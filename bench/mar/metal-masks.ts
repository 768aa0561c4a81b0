/**
 * Masks of metal on the pairs that scripts/draw-metal.ts made: the network's beside the threshold's and findMetal's, Dice and false area
 * by metal, size and clipping, as Markdown. `findMetal` is made for images that are not clipped: draw them with `--highest 32000`.
 *
 *     node --import tsx bench/mar/metal-masks.ts TEST_PAIRS --model metal
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { volume } from "../../lib/core/arrays.ts";
import { readNpy } from "../../lib/data/npy.ts";
import { toAttenuation } from "../../lib/image/hounsfield.ts";
import { dilate } from "../../lib/image/morphology.ts";
import { findMetal, segmentMetal, segmentMetalByNetwork } from "../../lib/mar/index.ts";
import { metalModel } from "../../lib/models/shipped.ts";
import type { MetalCase } from "../../scripts/draw-metal.ts";

interface Score {
  /** 1 where mask and truth are empty. */
  dice: number;
  /** Pixels that are no metal. */
  wrong: number;
  /** Metal outside the mask and a pixel around it, which is what the trace is made of. */
  missed: number;
}

function score(mask: Uint8Array, around: Uint8Array, truth: Uint8Array): Score {
  let [both, all, wrong, missed] = [0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    both += mask[i]! & truth[i]!;
    all += mask[i]! + truth[i]!;
    wrong += mask[i]! & ~truth[i]! & 1;
    missed += truth[i]! & ~around[i]! & 1;
  }
  return { dice: all === 0 ? 1 : (2 * both) / all, wrong, missed };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: "string", default: "metal" },
    count: { type: "string", short: "n", default: "100000" },
    probability: { type: "string", default: "0.5" },
  },
});
const folder = positionals[0]!;
const { trained } = await metalModel(values.model);
const cases = (await readFile(join(folder, "cases.ndjson"), "utf8"))
  .trim()
  .split("\n")
  .slice(0, Number(values.count))
  .map((line) => JSON.parse(line) as MetalCase);
const { array: input } = await readNpy(join(folder, "input.npy"));
const { array: target } = await readNpy(join(folder, "target.npy"));
const [, rows, columns] = input.shape as [number, number, number];
const size = rows * columns;
const hu = volume(Float32Array.from(input.data.subarray(0, cases.length * size)), [cases.length, rows, columns]);

// images that are clipped low have a threshold of their own and go one by one
const isLow = cases.map(({ clippedHu }) => clippedHu < 2500);
const groupsOfSlices = [
  cases.flatMap((_, i) => (isLow[i] ? [] : [i])),
  ...cases.flatMap((_, i) => (isLow[i] ? [[i]] : [])),
];
const byNetwork = volume(new Uint8Array(hu.data.length), hu.shape);
let byThreshold = 0;
for (const group of groupsOfSlices) {
  const some = volume(new Float32Array(group.length * size), [group.length, rows, columns]);
  for (const [k, i] of group.entries()) some.data.set(hu.data.subarray(i * size, (i + 1) * size), k * size);
  const options = { threads: 1, probability: Number(values.probability) };
  const { metal, by } = await segmentMetalByNetwork(some, trained, options);
  for (const [k, i] of group.entries()) byNetwork.data.set(metal.data.subarray(k * size, (k + 1) * size), i * size);
  byThreshold += by.filter((whose) => whose === "threshold").length;
}
const masks = {
  network: byNetwork,
  // slice by slice: where one is clipped says nothing of another
  threshold: volume(new Uint8Array(hu.data.length), hu.shape),
  adaptive: await findMetal(await toAttenuation(hu, 0.0192)),
};
for (let i = 0; i < cases.length; i++) {
  const slice = volume(hu.data.subarray(i * size, (i + 1) * size), [rows, columns]);
  masks.threshold.data.set((await segmentMetal(slice)).metal.data, i * size);
}

const names = ["network", "threshold", "adaptive"] as const;
const around = {
  network: await dilate(masks.network, { radius: 1 }),
  threshold: await dilate(masks.threshold, { radius: 1 }),
  adaptive: await dilate(masks.adaptive, { radius: 1 }),
};
const scored = cases.map((said, i) => {
  const truth = target.data.subarray(i * size, (i + 1) * size) as Uint8Array;
  const slice = (mask: { data: Uint8Array }) => mask.data.subarray(i * size, (i + 1) * size);
  const of = (name: (typeof names)[number]) => score(slice(masks[name]), slice(around[name]), truth);
  return { said, network: of("network"), threshold: of("threshold"), adaptive: of("adaptive") };
});

const metal = scored.filter(({ said }) => said.pixels > 0);
type Row = (typeof scored)[number];
const groups: Record<string, Row[]> = { all: metal };
for (const { said } of metal) groups[said.material] = metal.filter((row) => row.said.material === said.material);
for (const [low, high] of [
  [0, 20],
  [20, 100],
  [100, 500],
  [500, Infinity],
] as const)
  groups[high === Infinity ? `${low} px and more` : low === 0 ? `below ${high} px` : `${low} to ${high} px`] =
    metal.filter(({ said }) => said.pixels >= low && said.pixels < high);
groups["one part"] = metal.filter(({ said }) => said.parts === 1);
groups["several parts"] = metal.filter(({ said }) => said.parts > 1);
groups["clipped at 3071 HU or below"] = metal.filter(({ said }) => said.clippedHu <= 3071);
groups["not clipped"] = metal.filter(({ said }) => said.clippedHu > 3071);

const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;
console.log(
  "| metal | n | Dice: network | threshold | adaptive | false area: network | threshold | adaptive | missed: network | threshold | adaptive |",
);
console.log(`| --- |${" ---: |".repeat(10)}`);
for (const [name, rowsOf] of Object.entries(groups)) {
  if (rowsOf.length === 0) continue;
  const dice = names.map((key) => mean(rowsOf.map((row) => row[key].dice)).toFixed(3));
  const wrong = names.map((key) => mean(rowsOf.map((row) => row[key].wrong / row.said.pixels)).toFixed(2));
  const missed = names.map((key) => mean(rowsOf.map((row) => row[key].missed / row.said.pixels)).toFixed(3));
  console.log(`| ${[name, rowsOf.length, ...dice, ...wrong, ...missed].join(" | ")} |`);
}
const clean = scored.filter(({ said }) => said.pixels === 0);
const falsePixels = names.map((key) => `${key} ${mean(clean.map((row) => row[key].wrong)).toFixed(1)}`).join(", ");
const touched = names.map((key) => `${key} ${clean.filter((row) => row[key].wrong > 0).length}`).join(", ");
console.log(
  `\nSlices without metal (${clean.length}): false pixels per slice ${falsePixels}; slices with any: ${touched}.`,
);
console.log(
  `The network's mask was too large, and the threshold's taken, in ${byThreshold} of ${cases.length} slices.`,
);
