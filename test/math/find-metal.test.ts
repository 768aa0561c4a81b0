/** Metal found in sinograms in closed form: opaque metal by what all rays see, other metal by threshold. */
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import type { Mask } from "../../lib/image/input.ts";
import { findMetal, findMetalInSinograms } from "../../lib/mar/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan } from "../../lib/tomography/geometry.ts";
import { ellipses, phantomSinogram } from "../oracle/phantoms.ts";
import { assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("find metal");
const n = 192;
const pixelMm = 0.5;
const views = 360;
const bins = 301;
const raysPerBin = 3;
const scan = (count: number) =>
  fanBeam({
    detector: "flat",
    sod: 400,
    sdd: 800,
    bins: count,
    binMm: (0.9 * bins) / count,
    angles: fullScan(views, { cellCentred: true }),
    image: { shape: [n, n], pixelMm },
  });
const geometry = scan(bins);
const fine = scan(bins * raysPerBin);

const at = (value: number, x: number, y: number, a: number, b = a, deg = 0) => ({ value, x, y, a, b, deg });
type Disc = ReturnType<typeof at>;
const body = at(0.0192, 0, 0, 44, 38);
const scatter = 1e-4;

/** One energy, several rays per bin, and scatter: what metal lets through drowns in it. */
function simulate(metal: Disc[]): Volume {
  const paths = phantomSinogram(ellipses([body, ...metal]), fine);
  const bin = (first: number) =>
    -Math.log(paths.slice(first, first + raysPerBin).reduce((sum, p) => sum + Math.exp(-p), 0) / raysPerBin + scatter);
  return volume(
    Float32Array.from({ length: views * bins }, (_, ray) => bin(ray * raysPerBin)),
    [views, bins],
  );
}

/** Pixels inside metal, 0.3 mm from its edge, that a mask lacks, and its pixels that are 0.8 mm (more than one of them) beyond the edge. */
function errors(mask: Mask, metal: Disc[]): { missing: number; beyond: number } {
  const isNear = (i: number, margin: number) => {
    const [x, y] = [((i % n) - (n - 1) / 2) * pixelMm, ((n - 1) / 2 - Math.floor(i / n)) * pixelMm];
    return metal.some((d) => Math.hypot(x - d.x, y - d.y) < d.a + margin);
  };
  const count = (is: (set: number, i: number) => boolean) => mask.data.filter(is).length;
  return {
    missing: count((_, i) => isNear(i, -0.3) && mask.data[i] === 0),
    beyond: count((set, i) => set === 1 && !isNear(i, 0.8)),
  };
}

const opaque = [at(4, -14, 6, 3), at(4, 12, -10, 1.6), at(4, 6, 14, 1)];
const weak = at(0.2, -4, -4, 1.5);
const titanium = simulate([weak, at(0.2, 12, 10, 4)]);

test("opaque metal and a weak one beside it are found as the rays see them, streaks are not", async () => {
  const metal = [...opaque, weak];
  const sinogram = simulate(metal);
  const byThreshold = errors(await findMetal(await fbp(sinogram, geometry)), metal);
  assert.ok(byThreshold.missing + byThreshold.beyond > 20, JSON.stringify(byThreshold));
  assert.equal(errors(await findMetalInSinograms(sinogram, geometry), metal), { missing: 0, beyond: 0 });
});

test("large opaque metal, darker than any threshold for opaque metal, is found with the gap between its parts", async () => {
  const metal = [at(0.6, -12, 2, 9), at(0.6, 10, -4, 8)];
  const sinogram = simulate(metal);
  const image = await fbp(sinogram, geometry);
  const brightest = (image.data as Float32Array).reduce((most, mu) => Math.max(most, mu), 0);
  assert.ok(brightest < 0.8, `${brightest} is not dark`);
  const byThreshold = errors(await findMetal(image), metal);
  const found = errors(await findMetalInSinograms(sinogram, geometry), metal);
  assert.ok(byThreshold.beyond > 40, JSON.stringify(byThreshold));
  assert.equal(found.missing, 0);
  // the tips of the dark triangles between two discs belong to their visual hull
  assert.ok(found.beyond <= 4, JSON.stringify(found));
});

test("metal that lets light through is found by threshold, in stacks as alone", async () => {
  const alone = await findMetalInSinograms(titanium, geometry);
  assert.equal(alone.data, (await findMetal(await fbp(titanium, geometry))).data);
  const gold = simulate(opaque);
  const stack = volume(Float32Array.from([...gold.data, ...titanium.data]), [2, views, bins]);
  const both = await findMetalInSinograms(stack, geometry);
  assert.equal(both.shape, [2, n, n]);
  assert.equal(both.data.slice(n * n), alone.data);
  assert.equal(both.data.slice(0, n * n), (await findMetalInSinograms(gold, geometry)).data);
});

test("no metal: nothing is found", async () => {
  const { data } = await findMetalInSinograms(simulate([]), geometry);
  assert.ok(data.every((set) => set === 0));
});

test("what is refused", async () => {
  const find = (sinogram: Volume, muWater?: number) => findMetalInSinograms(sinogram, geometry, { muWater });
  await assertRejects(() => find(volume(new Float32Array(4), [2, 2])), "ERR_SINO_SHAPE");
  await assertRejects(() => find(titanium, 0), "ERR_SINO_OUT_OF_RANGE");
  const broken = titanium.data.map((value, i) => (i === 7 ? Number.NaN : value));
  await assertRejects(() => find(volume(broken, titanium.shape)), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
