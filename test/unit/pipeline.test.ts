/** Pipelines of degradations: what the seed decides, how labels follow, what is refused. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { type DegradationPipeline, degradationPresets, degrade, parsePipeline } from "../../lib/restore/pipeline.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("pipelines of degradations");

const shape = [6, 24, 20] as const;
/** Every voxel's number, and labels that say the same. */
const numbered = () => {
  const data = Float32Array.from({ length: 6 * 24 * 20 }, (_, i) => i);
  return { image: volume(data, shape), labels: volume(Int32Array.from(data), shape) };
};
const pipeline = (...steps: unknown[]) => parsePipeline({ steps });

test("labels go where pixels go", async () => {
  const { image, labels } = numbered();
  const moves = pipeline(
    { do: "flip", axes: ["slice", "row", "column"] },
    { do: "crop", size: [4, 11, 13] },
    { do: "flip", axes: ["column"], probability: 0.5 },
  );
  let turned = 0;
  for (let seed = 0; seed < 8; seed++) {
    const found = await degrade(image, moves, { seed, labels });
    assert.equal(found.image.shape, [4, 11, 13]);
    assert.ok(found.labels!.data instanceof Int32Array);
    assertClose(found.labels!.data, found.image.data, {});
    if (found.image.data[0]! > found.image.data.at(-1)!) turned++;
  }
  assert.ok(turned > 0 && turned < 8, `${turned} of 8 turned`);
});

test("coarser pixels and thicker slices keep labels whole, and say the new sizes", async () => {
  const { image, labels } = numbered();
  const steps = pipeline({ do: "coarser-pixels", factor: 2 }, { do: "thicker-slices", slices: 3 });
  const found = await degrade(image, steps, { seed: 1, labels, sampling: [1, 0.5, 0.7] });
  assert.equal(found.image.shape, [2, 12, 10]);
  assert.equal(found.labels!.shape, [2, 12, 10]);
  assertClose(found.sampling, [3, 1, 1.4], { rtol: 1e-12 });
  assert.ok(found.labels!.data.every((label, i) => Math.abs(label - found.image.data[i]!) < 50));
  assert.is(Math.floor(found.labels!.data[0]! / 480), 1); // of the middle one of three
  const kept = await degrade(image, pipeline({ do: "coarser-pixels", factor: 2, keepSize: true }), { seed: 1, labels });
  assert.equal(kept.image.shape, [...shape]);
  assertClose(kept.labels!.data, labels.data, {});
});

test("the seed decides, the record repeats it", async () => {
  const clean = volume(
    randomFloats(2 * 32 * 32, 3).map((v, i) => 100 + 20 * v + (i % 32)),
    [2, 32, 32],
  );
  const first = await degrade(clean, "mr", { seed: 5 });
  assertClose((await degrade(clean, "mr", { seed: 5 })).image.data, first.image.data, {});
  const other = await degrade(clean, "mr", { seed: 5, stream: 1 });
  assert.ok(other.image.data.some((v, i) => v !== first.image.data[i]));
  assert.is(Math.min(...first.image.data), 0);
  assert.is(Math.max(...first.image.data), 1);
  const record = JSON.parse(JSON.stringify(first.steps));
  assert.is(parsePipeline({ steps: record }).steps.length, first.steps.length);
  const without = pipeline({ do: "blur", sigma: 2, probability: 0 });
  assertClose((await degrade(clean, without, { seed: 1 })).image.data, clean.data, {});
});

test("chances and ranges are kept", async () => {
  const slice = volume(new Float32Array(16 * 16).fill(1), [16, 16]);
  const steps = pipeline({ do: "blur", sigma: [1, 3], probability: 0.25 });
  const drawn: number[] = [];
  for (let seed = 0; seed < 120; seed++)
    drawn.push(...(await degrade(slice, steps, { seed })).steps.map((step) => (step as { sigma: number }).sigma));
  // 30 expected, with a deviation of 4.7
  assert.ok(drawn.length > 15 && drawn.length < 45, `${drawn.length} of 120`);
  assert.ok(drawn.every((sigma) => sigma >= 1 && sigma <= 3) && Math.max(...drawn) - Math.min(...drawn) > 1);
});

test("low dose adds noise to CT, less with more dose", async () => {
  const disc = volume(
    Float32Array.from({ length: 64 * 64 }, (_, i) => {
      return Math.hypot(Math.floor(i / 64) - 32, (i % 64) - 32) < 24 ? 40 : -1000;
    }),
    [64, 64],
  );
  const noise = async (fraction: number) => {
    const steps = pipeline({ do: "low-dose", fraction, photons: 2e4 });
    const { image } = await degrade(disc, steps, { seed: 2, sampling: [1, 4, 4] });
    return Math.sqrt(image.data.reduce((sum, v, i) => sum + (v - disc.data[i]!) ** 2, 0) / image.data.length);
  };
  const [little, much] = [await noise(0.1), await noise(0.6)];
  assert.ok(little > 2 * much && much > 0, `${little} and ${much} HU`);
  const preset = await degrade(disc, "ct-low-dose", { seed: 2, sampling: [1, 4, 4] });
  assert.equal(preset.image.shape, [64, 64]);
  assert.ok(preset.image.data.every((v) => v >= -1024 && v <= 3071));
});

test("every step runs on slices and volumes", async () => {
  const all: DegradationPipeline["steps"] = [
    ...Object.values(degradationPresets).flatMap(({ steps }) => steps),
    { do: "coarser-pixels", factor: [1, 2] },
    { do: "blur", sigma: 0.5 },
    { do: "thicker-slices", slices: 1 },
    { do: "crop", size: [12, 12] },
    { do: "flip", axes: ["row"] },
  ];
  for (const size of [
    [31, 33],
    [3, 31, 33],
  ]) {
    const image = volume(
      randomFloats(
        size.reduce((a, b) => a * b),
        1,
      ),
      size,
    ); // prettier-ignore
    const steps = all.map((step) => ({ ...step, probability: 1 })) as DegradationPipeline["steps"];
    const found = await degrade(image, { steps }, { seed: 3 });
    assert.equal(found.image.shape, [...size.slice(0, -2), 12, 12]);
    assert.ok(found.image.data.every(Number.isFinite));
  }
});

test("what is refused", async () => {
  const { image, labels } = numbered();
  for (const wrong of [
    {},
    { steps: [] },
    { steps: [{ do: "sharpen" }] },
    { steps: [{ do: "blur" }] },
    { steps: [{ do: "blur", sigma: [3, 1] }] },
    { steps: [{ do: "blur", sigma: 1, probability: 2 }] },
    { steps: [{ do: "low-dose", fraction: [0, 1] }] },
  ])
    await assertRejects(() => parsePipeline(wrong), "ERR_SINO_IO_FORMAT");
  const misspelt = await assertRejects(
    () => parsePipeline({ steps: [{ do: "undersample", acceleraton: 2, acceleration: 2 }] }, "p.json"),
    "ERR_SINO_IO_FORMAT",
  );
  assert.match(misspelt.message, /p\.json at steps\.0: .*Did you mean acceleration\?/);
  await assertRejects(() => parsePipeline("ct-high-dose"), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => degrade(image, "mr", { seed: -1 }), "ERR_SINO_OUT_OF_RANGE");
  const small = volume(labels.data.subarray(0, 480), [24, 20]);
  await assertRejects(() => degrade(image, "mr", { seed: 1, labels: small }), "ERR_SINO_SHAPE");
  await assertRejects(() => degrade(image, pipeline({ do: "crop", size: [50, 5] }), { seed: 1 }), "ERR_SINO_SHAPE");
  const hole = volume(Float32Array.of(1, Number.NaN, 3, 4), [2, 2]);
  await assertRejects(() => degrade(hole, pipeline({ do: "blur", sigma: 1 }), { seed: 1 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
