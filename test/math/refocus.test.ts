/**
 * Motion out of complex slices: k-space of discs in closed form, every line of the discs as they lay at its time, so the motion is known and
 * nothing of the library made the slices.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { type Refocused, refocus } from "../../lib/restore/refocus.ts";
import { assertRejects } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("refocus");
const [rows, columns] = [96, 80];
type Position = readonly [turn: number, down: number, right: number];
const still: Position = [0, 0, 0];

const next = randomSource(3);
const discs = Array.from({ length: 24 }, () => {
  const [angle, radius] = [2 * Math.PI * next(), 26 * Math.sqrt(next())];
  return { y: radius * Math.sin(angle), x: radius * Math.cos(angle), r: 1.5 + 9 * next(), a: 0.3 + next() };
});

/** Bessel's J₁ by its integral. */
function j1(x: number): number {
  let sum = 0;
  for (let k = 0; k < 64; k++) sum += Math.cos((2 * Math.PI * k) / 64 - x * Math.sin((2 * Math.PI * k) / 64));
  return sum / 64;
}
/** Transforms of the discs about their own middles, [line, column, disc]. */
const sizes = Array.from({ length: rows }, (_, i) =>
  Array.from({ length: columns }, (_, j) => {
    const k = Math.hypot((i - rows / 2) / rows, (j - columns / 2) / columns);
    return discs.map(({ r, a }) => a * (k > 0 ? (r * j1(2 * Math.PI * r * k)) / k : Math.PI * r * r));
  }),
);

/** The complex image of k-space whose line v is measured at position(v), v = −rows/2 …; a phase over it all. */
function slice(position: (v: number) => Position): { real: Float32Array; imaginary: Float32Array } {
  const lines = Array.from({ length: rows }, (_, k) => {
    const v = k - rows / 2;
    const [turn, down, right] = position(v);
    const [c, s] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
    return Array.from({ length: columns }, (_, j) => {
      const [ky, kx] = [v / rows, (j - columns / 2) / columns];
      let [re, im] = [0, 0];
      for (const [n, b] of discs.entries()) {
        // counter-clockwise, row 0 at the top
        const y = b.y * c - b.x * s + down + (rows - 1) / 2;
        const x = b.x * c + b.y * s + right + (columns - 1) / 2;
        const size = sizes[k]![j]![n]!;
        re += size * Math.cos(2 * Math.PI * (ky * y + kx * x));
        im -= size * Math.sin(2 * Math.PI * (ky * y + kx * x));
      }
      return [re, im] as const;
    });
  });
  const [real, imaginary] = [new Float32Array(rows * columns), new Float32Array(rows * columns)];
  for (let y = 0; y < rows; y++) {
    const across = Array.from({ length: columns }, (_, j) => {
      let [re, im] = [0, 0];
      for (let k = 0; k < rows; k++) {
        const [a, b] = lines[k]![j]!;
        const turn = (2 * Math.PI * (k - rows / 2) * y) / rows;
        re += a * Math.cos(turn) - b * Math.sin(turn);
        im += a * Math.sin(turn) + b * Math.cos(turn);
      }
      return [re, im] as const;
    });
    for (let x = 0; x < columns; x++) {
      let [re, im] = [0, 0];
      for (let j = 0; j < columns; j++) {
        const turn = (2 * Math.PI * (j - columns / 2) * x) / columns + 0.7 / columns;
        re += across[j]![0] * Math.cos(turn) - across[j]![1] * Math.sin(turn);
        im += across[j]![0] * Math.sin(turn) + across[j]![1] * Math.cos(turn);
      }
      real[y * columns + x] = re / (rows * columns);
      imaginary[y * columns + x] = im / (rows * columns);
    }
  }
  return { real, imaginary };
}

const image = (data: Float32Array) => volume(data as Float32Array<ArrayBuffer>, [rows, columns]);
const clean = slice(() => still);
const truth = clean.real.map((v, i) => Math.hypot(v, clean.imaginary[i]!));
function decibels(data: Float32Array): number {
  const peak = truth.reduce((a, b) => Math.max(a, b), 0);
  const error = truth.reduce((sum, v, i) => sum + (v - data[i]!) ** 2, 0) / truth.length;
  return 10 * Math.log10(peak ** 2 / error);
}
const magnitude = ({ real, imaginary }: typeof clean) => real.map((v, i) => Math.hypot(v, imaginary[i]!));
const sudden = slice((v) => (v >= 6 ? [3, 2.5, -1.5] : still));

let upright: Refocused | undefined;

test("a sudden motion is found and undone", async () => {
  upright = await refocus(image(sudden.real), image(sudden.imaginary));
  const { images, turn, down, right, slices } = upright;
  const before = decibels(magnitude(sudden));
  const after = decibels(images.data);
  assert.ok(slices[0]!.isCorrected && slices[0]!.periods === 0, JSON.stringify(slices[0]));
  // entropy of few pixels is coarse: half a pixel at the edge of the discs
  for (const [path, expected] of [
    [turn, 3],
    [down, 2.5],
    [right, -1.5],
  ] as const) {
    assert.ok(Math.abs(path[60]! - expected) < 1.2, `line 12: ${path[60]} of ${expected}`);
    assert.is(path[rows / 2], 0);
  }
  assert.ok(after > before + 3, `${before} dB, then ${after} dB`);
  assert.ok(slices[0]!.misfit < 0.02, `${slices[0]!.misfit}`);
});

test("so is a periodic one", async () => {
  const moved = slice((v) => {
    const wave = Math.sin((2 * Math.PI * 6 * v) / rows);
    return [0, 2 * wave, -wave];
  });
  const { images, slices } = await refocus(image(moved.real), image(moved.imaginary), { degrees: 1, pixels: 4 });
  assert.ok(slices[0]!.isCorrected && Math.abs(slices[0]!.periods - 6) < 0.2, JSON.stringify(slices[0]));
  assert.ok(decibels(images.data) > decibels(magnitude(moved)) + 10, `${decibels(images.data)}`);
});

test("a slice that lay still stays as it was; a batch is its slices", async () => {
  const both = (key: "real" | "imaginary") =>
    volume(Float32Array.from([...clean[key], ...sudden[key]]), [2, rows, columns]);
  const { images, turn, slices } = await refocus(both("real"), both("imaginary"));
  assert.equal(
    slices.map((s) => s.isCorrected),
    [false, true],
  );
  assert.ok(turn.subarray(0, rows).every((t) => t === 0));
  assert.ok(images.data.subarray(0, truth.length).every((v, i) => Math.abs(v - truth[i]!) < 1e-6));
  assert.ok(images.data.subarray(truth.length).every((v, i) => v === upright!.images.data[i]));
});

test("the other phase direction is the same upon its side", async () => {
  const side = (data: Float32Array): Volume =>
    volume(
      Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
      [columns, rows],
    );
  const row = await refocus(side(sudden.real), side(sudden.imaginary), { phase: "row" });
  const column = upright!;
  assert.equal(row.images.data, side(column.images.data).data);
  assert.equal(row.right, column.down);
  assert.is(row.turn[70], -column.turn[70]!);
});

test("the command, with record; what is refused", async () => {
  const folder = temporaryFolder();
  const [real, imaginary, output] = ["real.npy", "imaginary.npy", "out.npy"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeArray(real, image(sudden.real));
  await writeArray(imaginary, image(sudden.imaginary));
  const { code, stderr } = await cli("correct-motion", real, "--imaginary", imaginary, "-o", output);
  assert.is(code, 0, stderr);
  assert.ok(decibels((await readArray(output)).array.data as Float32Array) > decibels(magnitude(sudden)) + 3);
  const record = JSON.parse(await readFile(join(folder, "out.json"), "utf8"));
  assert.is(record.facts["Slices corrected"], "1 of 1");
  const neither = await cli("correct-motion", real, "-o", join(folder, "none.npy"));
  assert.is(neither.code, 2);
  assert.match(neither.stderr, /either --imaginary FILE/);

  const [a, b] = [image(sudden.real), image(sudden.imaginary)];
  await assertRejects(() => refocus(a, volume(new Float32Array(64), [8, 8])), "ERR_SINO_SHAPE");
  await assertRejects(() => refocus(a, image(b.data.with(3, Number.NaN))), "ERR_SINO_OUT_OF_RANGE");
  const small = volume(new Float32Array(15 * 20), [15, 20]);
  await assertRejects(() => refocus(small, small), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => refocus(a, b, { degrees: 30 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => refocus(a, b, { phase: "both" as "row" }), "ERR_SINO_OUT_OF_RANGE");
  const blank = volume(new Float32Array(400), [20, 20]);
  assert.is((await refocus(blank, blank)).slices[0]!.isCorrected, false);
});

test.run();
