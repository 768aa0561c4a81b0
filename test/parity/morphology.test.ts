/** Dilation and erosion against looking at every pixel in reach. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { dilate, erode } from "../../lib/image/morphology.ts";
import { dilateOracle, type Element, erodeOracle } from "../oracle/morphology.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("morphology parity");

const elements: Element[] = [
  ...[0, 0.9, 1, Math.SQRT2, 1.5, 2.3, 5, 100, Infinity].map((reach) => ({ shape: "disk", reach }) as const),
  ...[0, 1, 2, 7].flatMap((reach) => [{ shape: "cross", reach } as const, { shape: "box", reach } as const]),
];
const optionsOf = ({ shape, reach }: Element) => (shape === "disk" ? { radius: reach } : { shape, iterations: reach });

for (const [slices, rows, columns] of [
  [1, 1, 1],
  [1, 13, 7],
  [3, 5, 31],
  [2, 29, 3],
] as const)
  for (const density of [0, 0.03, 0.5, 0.97])
    test(`${slices}×${rows}×${columns}, ${density * 100} % set`, async () => {
      const next = randomSource(3);
      const plane = rows * columns;
      const mask = Uint8Array.from({ length: slices * plane }, () =>
        next() < density ? 1 + Math.floor(next() * 255) : 0,
      );
      for (const element of elements) {
        const grown = await dilate(volume(mask, [slices, rows, columns]), optionsOf(element));
        const shrunk = await erode(volume(mask, [slices, rows, columns]), optionsOf(element));
        for (let s = 0; s < slices; s++) {
          const [from, to] = [s * plane, (s + 1) * plane];
          const name = `${element.shape} ${element.reach}, slice ${s}`;
          assertClose(
            grown.data.subarray(from, to),
            dilateOracle(mask.subarray(from, to), columns, element),
            {},
            `dilate ${name}`,
          );
          assertClose(
            shrunk.data.subarray(from, to),
            erodeOracle(mask.subarray(from, to), columns, element),
            {},
            `erode ${name}`,
          );
        }
      }
    });

test("iterations are repeated applications", async () => {
  const mask = new Uint8Array(15 * 15);
  mask[7 * 15 + 7] = 1;
  mask[2 * 15 + 12] = 1;
  for (const shape of ["cross", "box"] as const) {
    let step = volume(mask, [15, 15]);
    for (let k = 0; k < 3; k++) step = await dilate(step, { shape });
    assertClose((await dilate(volume(mask, [15, 15]), { shape, iterations: 3 })).data, step.data, {});
  }
});

test("contradictory and wrong options", async () => {
  const mask = volume(new Uint8Array(4), [2, 2]);
  await assertRejects(() => dilate(mask, {}), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => dilate(mask, { radius: 1, shape: "box" }), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => dilate(mask, { radius: 1, iterations: 2 }), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => dilate(mask, { radius: -1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => dilate(mask, { radius: Number.NaN }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => erode(mask, { shape: "ball" as "box" }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => erode(mask, { shape: "box", iterations: 0.5 }), "ERR_SINO_OUT_OF_RANGE");
  assert.is((await dilate(volume(new Uint8Array(0), [0, 3, 3]), { radius: 2 })).data.length, 0);
});

test.run();
