/** Connected parts against a flood fill, for every connectivity. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { connectedComponents, fillHoles, removeSmallComponents } from "../../lib/image/components.ts";
import { fillHolesOracle, labelOracle } from "../oracle/components.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("components parity");
type Shape = [number, number, number];
const connectivities = [4, 8, 6, 18, 26] as const;

function randomMask(length: number, density: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = randomSource(seed);
  return Uint8Array.from({ length }, () => (next() < density ? 1 + Math.floor(next() * 255) : 0));
}

async function check(mask: Uint8Array<ArrayBuffer>, shape: Shape) {
  for (const connectivity of connectivities) {
    const expected = labelOracle(mask, shape, connectivity);
    const found = await connectedComponents(volume(mask, shape), { connectivity });
    assert.is(found.count, expected.sizes.length);
    assertClose(found.labels.data, expected.labels, {}, `labels, ${connectivity}`);
    assert.equal([...found.sizes], expected.sizes);
    const sifted = await removeSmallComponents(volume(mask, shape), 4, { connectivity });
    const kept = mask.map((m, p) => (m && expected.sizes[expected.labels[p]! - 1]! >= 4 ? 1 : 0));
    assertClose(sifted.data, kept, {}, `kept, ${connectivity}`);
  }
  for (const dimensions of [2, 3] as const)
    assertClose(
      (await fillHoles(volume(mask, shape), { dimensions })).data,
      fillHolesOracle(mask, shape, dimensions),
      {},
      `holes, ${dimensions}-D`,
    );
}

for (const shape of [
  [1, 1, 1],
  [1, 1, 17],
  [1, 17, 1],
  [3, 13, 29],
  [5, 9, 8],
  [2, 31, 64],
  [7, 1, 5],
] as Shape[])
  for (const density of [0.1, 0.4, 0.6, 0.9])
    test(`${shape.join("×")}, ${density * 100} % set`, () =>
      check(randomMask(shape[0] * shape[1] * shape[2], density, 7), shape));

test("any mask: the count, labels and holes of a flood fill", async () => {
  const size = fc.integer({ min: 1, max: 9 });
  const cases = fc.tuple(fc.tuple(size, size, size), fc.double({ min: 0, max: 1, noNaN: true }), fc.integer());
  const property = fc.asyncProperty(cases, ([shape, density, seed]) =>
    check(randomMask(shape[0] * shape[1] * shape[2], density, seed), shape),
  );
  await fc.assert(property, { numRuns: 60, seed: 9 });
});

test("a spiral is one part, a checkerboard one or very many", async () => {
  const n = 61;
  const spiral = new Uint8Array(n * n);
  let [y, x, dy, dx] = [0, 0, 0, 1];
  for (let step = n - 1, turns = 0; step > 0; turns++) {
    for (let k = 0; k < step; k++, y += dy, x += dx) spiral[y * n + x] = 1;
    [dy, dx] = [dx, -dy];
    if (turns >= 2 && turns % 2 === 0) step -= 2;
  }
  assert.is((await connectedComponents(volume(spiral, [n, n]), { connectivity: 4 })).count, 1);
  const board = Uint8Array.from({ length: n * n }, (_, p) => 1 - (p % 2));
  assert.is((await connectedComponents(volume(board, [n, n]), { connectivity: 8 })).count, 1);
  assert.is((await connectedComponents(volume(board, [n, n]), { connectivity: 4 })).count, (n * n + 1) / 2);
});

test("empty and wrong input", async () => {
  const empty = await connectedComponents(volume(new Uint8Array(0), [0, 5, 5]));
  assert.is(empty.count, 0);
  assert.is((await connectedComponents(volume(new Uint8Array(9), [3, 3]))).count, 0);
  await assertRejects(
    () => connectedComponents(volume(new Uint8Array(9), [3, 3]), { connectivity: 26 }),
    "ERR_SINO_SHAPE",
  );
  await assertRejects(
    () => connectedComponents(volume(new Uint8Array(9), [3, 3]), { connectivity: 5 as 4 }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  await assertRejects(() => removeSmallComponents(volume(new Uint8Array(9), [3, 3]), 1.5), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
