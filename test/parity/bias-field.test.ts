/** N4: a known field is found, in two and three dimensions; what it must not change stays. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { type BiasFieldOptions, correctBiasField } from "../../lib/image/bias-field.ts";
import { assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("bias field");

/** Three tissues in patches, some noise, air around. */
function tissues([slices, rows, columns]: readonly [number, number, number]) {
  const next = randomSource(2);
  return Float32Array.from({ length: slices * rows * columns }, (_, i) => {
    const y = (Math.floor(i / columns) % rows) / rows - 0.5;
    const x = (i % columns) / columns - 0.5;
    if (Math.hypot(x, y) > 0.46) return 0;
    const z = Math.floor(i / (rows * columns));
    const kind = Math.floor(3 * Math.abs(Math.sin(17 * x + 0.3 * z) * Math.cos(13 * y + 2)));
    return [400, 700, 1000][kind]! * (1 + 0.04 * (next() - 0.5));
  });
}

const brightness = (z: number, y: number, x: number) => Math.exp(0.35 * x - 0.3 * y + 0.25 * x * y - 0.2 * z);

/** Coefficient of variation of found/true field within the body: 0 where the field is right up to a factor. */
async function error(shape: readonly [number, number, number], options: BiasFieldOptions) {
  const [slices, rows, columns] = shape;
  const clean = tissues(shape);
  const at = (i: number, n: number) => (n > 1 ? (2 * i) / (n - 1) - 1 : 0);
  const truth = clean.map((_, i) =>
    brightness(
      at(Math.floor(i / (rows * columns)), slices),
      at(Math.floor(i / columns) % rows, rows),
      at(i % columns, columns),
    ),
  );
  const biased = clean.map((v, i) => v * truth[i]!);
  const { field, image } = await correctBiasField(volume(biased, slices > 1 ? shape : [rows, columns]), options);
  const spread = (values: number[]) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length) / mean;
  };
  const inside = [...clean.keys()].filter((i) => clean[i]! > 0);
  assert.ok(inside.every((i) => Math.abs(image.data[i]! * field.data[i]! - biased[i]!) <= 1e-3 * biased[i]!));
  return { before: spread(inside.map((i) => truth[i]!)), after: spread(inside.map((i) => field.data[i]! / truth[i]!)) };
}

test("a plane", async () => {
  const { before, after } = await error([1, 96, 110], { shrink: 2 });
  assert.ok(before > 0.2);
  assert.ok(after < 0.05, `${after} of ${before} is left`);
});

test("a volume, with a mask", async () => {
  const shape = [20, 48, 52] as const;
  const mask = volume(
    Uint8Array.from(tissues(shape), (v) => (v > 0 ? 1 : 0)),
    shape,
  );
  const { before, after } = await error(shape, { mask, shrink: [2, 2, 2], levels: 3 });
  assert.ok(after < 0.06, `${after} of ${before} is left`);
});

test("no field is found where there is none", async () => {
  const shape = [1, 80, 80] as const;
  const { field } = await correctBiasField(volume(tissues(shape), [80, 80]), { shrink: 2 });
  assert.ok(
    field.data.every((f, i) => Math.hypot(Math.floor(i / 80) - 39.5, (i % 80) - 39.5) > 36 || Math.abs(f - 1) < 0.08),
  );
});

test("a constant image stays, and what is refused", async () => {
  const { image } = await correctBiasField(volume(new Float32Array(400).fill(5), [20, 20]));
  assert.ok(image.data.every((v) => Math.abs(v - 5) < 1e-4));
  await assertRejects(() => correctBiasField(volume(new Float32Array(400), [20, 20])), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => correctBiasField(image, { levels: 0 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => correctBiasField(image, { mask: volume(new Uint8Array(4), [2, 2]) }), "ERR_SINO_SHAPE");
  await assertRejects(() => correctBiasField(image, { shrink: [1, 2] as const, mesh: 0 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
