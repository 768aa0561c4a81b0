/** What operations on images accept: any stride and type, shared memory; and how they refuse, stop and report. */
import * as assert from "uvu/assert";
import { type ArrayLike, volume } from "../../lib/core/arrays.ts";
import { connectedComponents, fillHoles, removeSmallComponents } from "../../lib/image/components.ts";
import { distanceTransform } from "../../lib/image/distance.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { interpolateMasked } from "../../lib/image/interpolate.ts";
import { dilate } from "../../lib/image/morphology.ts";
import { combine, statistics, threshold } from "../../lib/image/pixels.ts";
import { resample } from "../../lib/image/resample.ts";
import { tissuePrior, tissueThresholds } from "../../lib/image/tissue.ts";
import type { OperationOptions, Progress } from "../../lib/native/job.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("image input");

const operations: Record<
  string,
  (x: ArrayLike, options: OperationOptions) => Promise<Float32Array | Uint8Array | Int32Array>
> = {
  distanceTransform: async (x, o) => (await distanceTransform(x, o)).distances.data,
  connectedComponents: async (x, o) => (await connectedComponents(x, o)).labels.data,
  removeSmallComponents: async (x, o) => (await removeSmallComponents(x, 2, o)).data,
  fillHoles: async (x, o) => (await fillHoles(x, o)).data,
  dilate: async (x, o) => (await dilate(x, { ...o, radius: 1 })).data,
  gaussian: async (x, o) => (await gaussian(x, { ...o, sigma: 1 })).data,
  interpolateMasked: async (x, o) => (await interpolateMasked(x, x, o)).sinograms.data,
  resample: async (x, o) => (await resample(x, { ...o, shape: [5, 5] })).data,
  threshold: async (x, o) => (await threshold(x, 1, o)).data,
  combine: async (x, o) => (await combine([[2, x]], o)).data,
  tissuePrior: async (x, o) => (await tissuePrior(x, { ...o, muWater: 1, water: 0.5, bone: 1.5 })).data,
};

const [rows, columns] = [6, 10];
const values = Float32Array.from({ length: rows * columns }, (_, i) => (i * 7 + 3) % 4);

/** The same numbers in every form that an array may have. */
function forms(): Record<string, ArrayLike> {
  const transposed = Float32Array.from(
    { length: rows * columns },
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!,
  );
  const shared = new Float32Array(new SharedArrayBuffer(4 * values.length));
  shared.set(values);
  const wide = new Int16Array(rows * 25).fill(99);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) wide[3 + r * 25 + 2 * c] = values[r * columns + c]!;
  return {
    "a view with an offset": { data: Float32Array.of(9, 9, ...values, 9), shape: [rows, columns], offset: 2 },
    "a transposed view": { data: transposed, shape: [rows, columns], stride: [1, rows] },
    "shared memory": { data: shared, shape: [rows, columns] },
    "every second column of int16": { data: wide, shape: [rows, columns], stride: [25, 2], offset: 3 },
    "backwards float64": {
      data: Float64Array.from(values).reverse(),
      shape: [rows, columns],
      stride: [-columns, -1],
      offset: rows * columns - 1,
    },
    uint8: { data: Uint8Array.from(values), shape: [rows, columns] },
  };
}

for (const [name, operation] of Object.entries(operations)) {
  test(`${name}: any form of the same numbers`, async () => {
    const expected = await operation(volume(values, [rows, columns]), {});
    for (const [form, array] of Object.entries(forms())) assertClose(await operation(array, {}), expected, {}, form);
  });

  test(`${name}: refuses what is no array, ranks, detached memory, unknown devices`, async () => {
    await assertRejects(() => operation(undefined as never, {}), "ERR_SINO_ARG_TYPE");
    await assertRejects(() => operation({ data: [1, 2], shape: [2] } as never, {}), "ERR_SINO_ARG_TYPE");
    await assertRejects(
      () => operation({ data: new BigInt64Array(60) as never, shape: [6, 10] }, {}),
      "ERR_SINO_ARG_TYPE",
    );
    await assertRejects(() => operation({ data: values, shape: [60, 10] }, {}), "ERR_SINO_SHAPE");
    const detached = new Float32Array(60);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    await assertRejects(() => operation({ data: detached, shape: [6, 10] }, {}), "ERR_SINO_BUFFER_DETACHED");
    await assertRejects(
      () => operation(volume(values, [6, 10]), { device: "cuda:99" }),
      "ERR_SINO_BACKEND_UNAVAILABLE",
    );
    await assertRejects(() => operation(volume(values, [6, 10]), { device: "gpu" as "cpu" }), "ERR_SINO_OUT_OF_RANGE");
  });

  test(`${name}: an aborted signal rejects with its reason`, async () => {
    const reason = new Error("enough");
    let caught: unknown;
    await operation(volume(values, [6, 10]), { signal: AbortSignal.abort(reason) }).catch((error: unknown) => {
      caught = error;
    });
    assert.is(caught, reason);
  });
}

test("an abort in the middle ends a long call within 50 ms", async () => {
  const image = volume(new Float32Array(100 * 512 * 512), [100, 512, 512]);
  const controller = new AbortController();
  let aborted = 0;
  setTimeout(() => {
    aborted = performance.now();
    controller.abort();
  }, 30);
  await gaussian(image, { sigma: 12, signal: controller.signal }).then(
    () => assert.unreachable("was not aborted"),
    () => undefined,
  );
  const took = performance.now() - aborted;
  assert.ok(took < 150, `${took} ms`); // 50 ms, and what other processes take
});

test("progress grows to its end", async () => {
  const events: Progress[] = [];
  const image = volume(new Float32Array(30 * 256 * 256), [30, 256, 256]);
  await tissueThresholds(image, { muWater: 1, onProgress: (event) => events.push(event) });
  assert.ok(events.length > 0);
  assert.ok(events.every((event, k) => k === 0 || event.done > events[k - 1]!.done));
  assert.is(events.at(-1)!.done, events.at(-1)!.total);
});

test("twenty calls at once", async () => {
  const image = volume(values, [rows, columns]);
  const sums = await Promise.all(Array.from({ length: 20 }, () => statistics(image)));
  assert.ok(sums.every(({ sum }) => sum === sums[0]!.sum));
});

test.run();
