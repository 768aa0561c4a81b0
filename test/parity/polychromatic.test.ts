/** The forward model's operations against double-precision references: vector tails, thick metal, every number of materials. */
import * as assert from "uvu/assert";
import { type ArrayLike as Strided, volume } from "../../lib/core/arrays.ts";
import {
  correctWater,
  kVp120,
  type MaterialName,
  massAttenuation,
  materialNames,
  materialOf,
  polychromatic,
} from "../../lib/physics/index.ts";
import { polychromaticOracle } from "../oracle/polychromatic.ts";
import { assertClose } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("polychromatic parity");
const guard = 32;

const vector = (values: ArrayLike<number>): Strided<Float32Array> => ({
  data: Float32Array.from(values),
  shape: [values.length],
});

// exp good to 2e-7 and a float32 sum of 101 positive terms; the result itself is rounded to float32
const tolerance = { atol: 1e-6, rtol: 3e-7 };

function oracleLayer(material: MaterialName, paths: ArrayLike<number>) {
  const m = materialOf(material);
  const at = (keV: number) => massAttenuation(m, keV);
  return { massAttenuation: Array.from(kVp120.energiesKeV, at), atReference: at(70), paths };
}

for (const rays of [1, 7, 31, 32, 33, 1023, 1024, 1025, 4099])
  for (const count of [1, 2, 3, 4, 6])
    test(`${rays} rays through ${count} materials`, async () => {
      const random = randomSource(rays * 10 + count);
      const names = materialNames.slice(0, count);
      const layers = names.map((material) => ({
        material,
        paths: vector(Array.from({ length: rays }, () => (random() < 0.2 ? 0 : random() ** 2 * 12))),
      }));
      const memory = new Float32Array(rays + 2 * guard).fill(-77);
      const out = volume(memory.subarray(guard, guard + rays), [rays]);
      await polychromatic(layers, { out });
      const expected = polychromaticOracle(
        Array.from(kVp120.photons),
        layers.map(({ material, paths }) => oracleLayer(material, paths.data)),
      );
      assertClose(out.data, expected, tolerance);
      assert.ok(memory.subarray(0, guard).every((x) => x === -77) && memory.subarray(-guard).every((x) => x === -77));
    });

test("thick gold, which lets nothing through, and paths a little below zero stay finite and right", async () => {
  const water = [0, -0.01, 7, 6.5, 0, 300];
  const gold = [170, 0, 60, -0.02, -1e-6, 500];
  const p = await polychromatic([
    { material: "water", paths: vector(water) },
    { material: "gold", paths: vector(gold) },
  ]);
  const layers = [oracleLayer("water", vector(water).data), oracleLayer("gold", vector(gold).data)];
  assertClose(p.data, polychromaticOracle(Array.from(kVp120.photons), layers), { atol: 2e-6, rtol: 5e-7 });
  assert.ok(p.data[0]! > 100);
});

test("no path gives zero, and NaN stays NaN in its own ray only", async () => {
  const p = await polychromatic([{ material: "water", paths: vector([0, Number.NaN, 1]) }]);
  assert.is(Math.abs(p.data[0]!), 0);
  assert.ok(Number.isNaN(p.data[1]!) && p.data[2]! > 0.9);
});

test("the water polynomial", async () => {
  const p = [0, 0.5, 3, -0.1, 12];
  const corrected = await correctWater(vector(p), [0.8, 0.02, -0.0008]);
  assertClose(
    corrected.data,
    p.map((x) => 0.8 * x + 0.02 * x * x - 0.0008 * x ** 3),
    { atol: 1e-9, rtol: 2e-7 },
  );
});

test.run();
