/** BM3D: that it is what its definition says, what it gains over noise, and what it leaves alone. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { blockMatching, nonLocalMeans, totalVariation } from "../../lib/image/denoise.ts";
import { psnr } from "../../lib/metrics/index.ts";
import { blockMatchingOracle } from "../oracle/block-matching.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("block matching");

/** Edges, a texture and a slope, 0 to 255. */
function scene(rows: number, columns: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const y = Math.floor(i / columns) / rows;
    const x = (i % columns) / columns;
    if (Math.hypot(x - 0.3, y - 0.35) < 0.2) return 200;
    if (y > 0.6) return 128 + 60 * Math.sign(Math.sin(60 * x));
    return 60 + 80 * x;
  });
}

function noisy(clean: Float32Array, sigma: number): Float32Array<ArrayBuffer> {
  const next = randomSource(12);
  return Float32Array.from(clean, (v) => {
    return v + sigma * Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  });
}

for (const [rows, columns, sigma, search] of [
  [8, 8, 10, 0],
  [13, 18, 20, 4],
  [20, 17, 60, 7],
] as const)
  test(`its definition: ${rows} × ${columns}, sigma ${sigma}, search ${search}`, async () => {
    const image = noisy(scene(rows, columns), 20);
    const { data } = await blockMatching(volume(image, [rows, columns]), { sigma, search });
    // float32 transforms of values up to 255
    assertClose(data, blockMatchingOracle({ data: image, rows, columns }, { sigma, search }), { atol: 1e-3 });
  });

for (const value of [Number.NaN, Infinity])
  test(`${value} matches nothing and reaches 14 pixels far`, async () => {
    const [rows, columns, at] = [23, 41, 9 * 41 + 7];
    const image = noisy(scene(rows, columns), 20);
    const broken = image.with(at, value);
    const options = { sigma: 40, search: 5 };
    const { data } = await blockMatching(volume(broken, [rows, columns]), options);
    assertClose(data, blockMatchingOracle({ data: broken, rows, columns }, options), { atol: 1e-3 });
    for (let p = 0; p < data.length; p++) if (p % columns > 7 + 14) assert.ok(Number.isFinite(data[p]), `pixel ${p}`);
    assert.ok(Number.isNaN(data[at]) && Number.isNaN(data[at + columns + 1]));
  });

test("beats the other filters, and the noise by 9 dB", async () => {
  const shape = [123, 130];
  const clean = volume(scene(123, 130), shape);
  const image = volume(noisy(clean.data, 20), shape);
  const gain = async (result: typeof image) => (await psnr(result, clean, { range: 255 }))[0]!;
  const before = await gain(image);
  const matched = await gain(await blockMatching(image, { sigma: 20 }));
  assert.ok(matched > before + 9, `${matched} dB from ${before}`);
  assert.ok(matched > (await gain(await nonLocalMeans(image, { sigma: 20 }))) + 1);
  assert.ok(matched > (await gain(await totalVariation(image, { sigma: 20 }))) + 1);
});

test("slices by themselves, each with its sigma; the same again", async () => {
  const [rows, columns] = [40, 37] as const;
  const one = noisy(scene(rows, columns), 10);
  const two = noisy(scene(rows, columns), 30);
  const both = volume(Float32Array.from([...one, ...two, ...one]), [3, rows, columns]);
  const { data } = await blockMatching(both, { sigma: [10, 30, 0] });
  const size = rows * columns;
  assertClose(data.subarray(0, size), (await blockMatching(volume(one, [rows, columns]), { sigma: 10 })).data, {});
  assertClose(
    data.subarray(size, 2 * size),
    (await blockMatching(volume(two, [rows, columns]), { sigma: 30 })).data,
    {},
  );
  assertClose(data.subarray(2 * size), one, {});
});

test("a scale and an offset change nothing else", async () => {
  const image = noisy(scene(41, 50), 15);
  const { data } = await blockMatching(volume(image, [41, 50]), { sigma: 15 });
  const moved = await blockMatching(
    volume(
      image.map((v) => 4 * v - 512),
      [41, 50],
    ),
    { sigma: 60 },
  );
  // where a distance is within rounding of a limit another block is taken; few are
  let differing = 0;
  moved.data.forEach((v, i) => {
    if (Math.abs(v - (4 * data[i]! - 512)) > 0.5) differing++;
  });
  assert.ok(differing < 0.05 * image.length, `${differing} pixels`);
});

test("small slices stay; what is refused", async () => {
  for (const shape of [
    [7, 30],
    [1, 1],
    [8, 8],
  ] as const) {
    const image = noisy(scene(shape[0], shape[1]), 3);
    const { data } = await blockMatching(volume(image, shape), { sigma: 3 });
    if (Math.min(...shape) < 8) assertClose(data, image, {});
    else assert.ok(data.every(Number.isFinite));
  }
  await assertRejects(
    () => blockMatching(volume(new Float32Array(64), [8, 8]), { search: -1 }),
    "ERR_SINO_OUT_OF_RANGE",
  );
});

test.run();
