/** Complex slices of which a third of k-space was measured: measured lines stay, the others are filled in; against plain sums. */
import assert from "node:assert/strict";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { psnr } from "../../lib/metrics/index.ts";
import { dataConsistency } from "../../lib/restore/data-consistency.ts";
import { undersample } from "../../lib/restore/degrade.ts";
import { assertRejects } from "../support/assert-close.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("data consistency");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const [rows, columns] = [64, 60];

/** Ellipses of different brightness, with a smooth phase. */
const ellipses = [
  [32, 30, 27, 22, 0.8],
  [32, 30, 24, 19, -0.4],
  [24, 24, 6, 4, 0.5],
  [40, 36, 5, 8, 0.3],
  [44, 22, 3, 3, 0.6],
] as const;
const truth = Float32Array.from({ length: rows * columns }, (_, i) => {
  const [r, c] = [Math.floor(i / columns), i % columns];
  return ellipses.reduce((sum, [y, x, a, b, v]) => (((r - y) / a) ** 2 + ((c - x) / b) ** 2 < 1 ? sum + v : sum), 0);
});
const phaseAt = (i: number) => 1.2 * Math.sin(i / columns / 20) + 0.02 * (i % columns);
const parts = {
  real: truth.map((v, i) => v * Math.cos(phaseAt(i))),
  imaginary: truth.map((v, i) => v * Math.sin(phaseAt(i))),
};

/** Line k of k-space, middle at ⌊rows/2⌋, [re, im] per column. */
function lineOf({ real, imaginary }: typeof parts, k: number): [Float64Array, Float64Array] {
  const [re, im] = [new Float64Array(columns), new Float64Array(columns)];
  for (let i = 0; i < rows * columns; i++) {
    const angle = (-2 * Math.PI * (k - rows / 2) * Math.floor(i / columns)) / rows;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    re[i % columns]! += real[i]! * c - imaginary[i]! * s;
    im[i % columns]! += real[i]! * s + imaginary[i]! * c;
  }
  return [re, im];
}

/** The image of some lines, zeros elsewhere. */
function filled(lines: Uint8Array): typeof parts {
  const result = { real: new Float32Array(rows * columns), imaginary: new Float32Array(rows * columns) };
  for (const [k, is] of lines.entries()) {
    if (!is) continue;
    const [re, im] = lineOf(parts, k);
    for (let i = 0; i < rows * columns; i++) {
      const angle = (2 * Math.PI * (k - rows / 2) * Math.floor(i / columns)) / rows;
      const [c, s] = [Math.cos(angle) / rows, Math.sin(angle) / rows];
      result.real[i]! += re[i % columns]! * c - im[i % columns]! * s;
      result.imaginary[i]! += re[i % columns]! * s + im[i % columns]! * c;
    }
  }
  return result;
}

const image = (data: Float32Array): Volume => volume(data as Float32Array<ArrayBuffer>, [rows, columns]);
const still = image(truth);
const { lines } = await undersample(still, { acceleration: 3, seed: 5 });
const measured = filled(lines);
const given = [image(measured.real), image(measured.imaginary)] as const;
const quality = async (made: Volume) => (await psnr(made, still, { range: 1 }))[0]!;

test("fills in what was not measured, well above zeros; measured lines stay as they were", async () => {
  const zeros = image(measured.real.map((v, i) => Math.hypot(v, measured.imaginary[i]!)));
  const made = await dataConsistency(...given, lines, { threads: 1 });
  const [before, after] = [await quality(zeros), await quality(made.images)];
  assert.ok(after > before + 4, `${before} and ${after} dB`);
  for (const [k, is] of lines.entries()) {
    if (!is) continue;
    const [found, wanted] = [{ real: made.real.data, imaginary: made.imaginary.data }, parts].map((p) => lineOf(p, k));
    // float32 sums of 64 values up to 1
    for (const part of [0, 1] as const)
      for (let c = 0; c < columns; c++) assert.ok(Math.abs(found![part][c]! - wanted![part][c]!) < 1e-3, `line ${k}`);
  }
});

test("a denoiser that knows the answer gets it; one that changes nothing leaves zeros; slices lie on their side, too", async () => {
  const answer = volume(Float32Array.from([...parts.real, ...parts.imaginary]), [2, rows, columns]);
  const right = await dataConsistency(...given, lines, { turns: 1, denoiser: () => answer, threads: 1 });
  assert.ok(right.images.data.every((v, i) => Math.abs(v - truth[i]!) < 1e-5));
  const none = await dataConsistency(...given, lines, { turns: 2, denoiser: (x) => x, threads: 1 });
  assert.ok(none.real.data.every((v, i) => Math.abs(v - measured.real[i]!) < 1e-5));
  const side = (data: Float32Array) =>
    volume(data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!) as Float32Array<ArrayBuffer>, [
      columns,
      rows,
    ]);
  const options = { turns: 3, threads: 1 } as const;
  const upright = await dataConsistency(...given, lines, options);
  const turned = await dataConsistency(side(measured.real), side(measured.imaginary), lines, {
    ...options,
    phase: "row",
  });
  const expected = side(upright.images.data);
  assert.deepEqual([...turned.images.shape], [columns, rows]);
  assert.ok(turned.images.data.every((v, i) => Math.abs(v - expected.data[i]!) < 1e-5));
});

test("what does not fit is refused in words", async () => {
  const refuse = (work: () => Promise<unknown>, code: string) => assertRejects(work, code);
  await refuse(() => dataConsistency(...given, lines.slice(1)), "ERR_SINO_SHAPE");
  await refuse(() => dataConsistency(...given, new Uint8Array(rows)), "ERR_SINO_OUT_OF_RANGE");
  await refuse(() => dataConsistency(given[0], image(truth.with(3, Number.NaN)), lines), "ERR_SINO_OUT_OF_RANGE");
  await refuse(() => dataConsistency(...given, lines, { turns: 0 }), "ERR_SINO_OUT_OF_RANGE");
  const denoiser = () => volume(new Float32Array(4), [2, 2]);
  await refuse(() => dataConsistency(...given, lines, { denoiser }), "ERR_SINO_SHAPE");
});

suite.run();
