/** Paths solved from what is measured: put back into the forward model's reference they must give the measurement again. */
import * as assert from "uvu/assert";
import { runJob } from "../../lib/native/job.ts";
import { attenuationRatios, kVp120, type MaterialName, massAttenuation, materialOf } from "../../lib/physics/index.ts";
import { polychromaticOracle } from "../oracle/polychromatic.ts";
import { assertClose } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("inversion parity");
const weights = kVp120.photons;

const ratiosOf = (names: readonly MaterialName[]) =>
  Float64Array.from(names.flatMap((name) => [...attenuationRatios(materialOf(name), kVp120, 70)]));

function oracleLayer(name: MaterialName, paths: ArrayLike<number>) {
  const material = materialOf(name);
  const at = (keV: number) => massAttenuation(material, keV);
  return { massAttenuation: Array.from(kVp120.energiesKeV, at), atReference: at(70), paths };
}

const materials: MaterialName[] = ["water", "bone", "titanium"];

/** −ln of the mean intensity over the sub-rays of every ray. */
function measuredOf(paths: readonly Float32Array[], subrays: number): Float32Array {
  const rays = paths[0]!.length;
  const each = Array.from({ length: subrays }, (_, k) =>
    polychromaticOracle(
      Array.from(weights),
      materials.map((name, m) =>
        oracleLayer(
          name,
          m < 2 ? paths[m]! : Float32Array.from({ length: rays }, (_, i) => paths[2]![i * subrays + k]!),
        ),
      ),
    ),
  );
  return Float32Array.from({ length: rays }, (_, i) => {
    const least = Math.min(...each.map((p) => p[i]!));
    return least - Math.log(each.reduce((sum, p) => sum + Math.exp(least - p[i]!), 0) / subrays);
  });
}

for (const rays of [1, 31, 511, 512, 513, 2049])
  for (const [unknown, subrays] of [
    [0, 1],
    [0, 3],
    [0, 5],
    [2, 1],
  ] as const)
    test(`${rays} rays, material ${unknown} unknown, ${subrays} sub-rays`, async () => {
      const random = randomSource(rays * 10 + subrays + unknown);
      const of = (n: number, most: number) => Float32Array.from({ length: n }, () => random() * most);
      const paths = [of(rays, 6), of(rays, 2), of(rays * subrays, 5)];
      const measured = measuredOf(paths, subrays);
      const start = paths.map((path, m) => (m === unknown ? path.map((p) => p * 0.6) : path));
      const where = Uint8Array.from({ length: rays }, () => (random() < 0.6 ? 1 : 0));
      const path = new Float32Array(rays).fill(-77);
      const slope = new Float32Array(rays).fill(-77);
      await runJob("inversion", {
        device: "auto",
        count: rays,
        materials: 3,
        subrays,
        unknown,
        steps: 10,
        weights,
        ratios: ratiosOf(materials),
        path0: start[0],
        path1: start[1],
        path2: start[2],
        measured,
        where,
        lowest: -10,
        highest: 200,
        path,
        slope,
      });
      const truth = paths[unknown]!;
      const expected = Array.from(where, (inside, i) => (inside ? truth[i]! : -77));
      // float32 exponents: 1e-6 of p, up to 25 here, over a slope of at least 0.4
      assertClose(path, expected, { atol: 3e-5, rtol: 2e-5 });
      assert.ok(slope.every((s, i) => (where[i] ? s > 0.35 && s < 5 : s === -77)));
    });

test("what cannot be solved stays within bounds, and NaN stays in its own ray", async () => {
  const nothing = new Float32Array(3);
  const path = new Float32Array(3);
  await runJob("inversion", {
    device: "auto",
    count: 3,
    materials: 2,
    subrays: 1,
    unknown: 1,
    steps: 10,
    weights,
    ratios: ratiosOf(["water", "titanium"]),
    path0: nothing,
    path1: nothing,
    measured: Float32Array.of(-3, Number.NaN, 500),
    lowest: 0,
    highest: 50,
    path,
    slope: new Float32Array(3),
  });
  assert.is(path[0], 0);
  assert.ok(Number.isNaN(path[1]!));
  assert.is(path[2], 50);
});

test("linearize undoes the water polynomial and the scatter, down to the least count", async () => {
  const coefficients = [0.80370341, 0.02301414, -0.0008444];
  const scatter = 1e-6;
  const p = Float64Array.of(-0.01, 0, 0.5, 2, 6, 11, 16);
  const counted = p.map((x) => -Math.log(Math.exp(-x) + scatter));
  const input = Float32Array.from(
    counted,
    (x) => coefficients[0]! * x + coefficients[1]! * x ** 2 + coefficients[2]! * x ** 3,
  );
  const output = new Float32Array(p.length);
  const least = 1e-7;
  await runJob("linearize", {
    device: "auto",
    count: p.length,
    coefficients: Float64Array.from(coefficients),
    scatter,
    least,
    input,
    output,
  });
  // float32 of S magnified by e^p·scatter where scatter dominates
  const expected = p.map((x) => Math.min(x, -Math.log(least)));
  assertClose(output.subarray(0, 6), expected.subarray(0, 6), { atol: 3e-6, rtol: 1e-5 });
  assert.ok(Math.abs(output[6]! - expected[6]!) < 0.5 && output[6]! <= -Math.log(least) + 1e-5);
});

test("mean path of sub-rays, and the rays that met anything", async () => {
  const mean = new Float32Array(3);
  const trace = new Uint8Array(3).fill(7);
  const paths = Float32Array.of(0, 0, 0, 1, 2, 6, 0, 0, 0.5);
  await runJob("meanPath", { device: "auto", count: 3, subrays: 3, paths, mean, trace });
  assertClose(mean, [0, 3, 0.5 / 3], { rtol: 1e-7 });
  assert.equal(Array.from(trace), [0, 1, 1]);
});

test.run();
