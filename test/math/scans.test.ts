/** What FBP makes of the angle list: coverage, weights of short and sideways scans, uneven and shuffled angles, windows. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { fbp, scanOf } from "../../lib/tomography/fbp.ts";
import {
  fanBeam,
  fullScan,
  type Geometry,
  halfFanDeg,
  parallelBeam,
  shortScan,
} from "../../lib/tomography/geometry.ts";
import { ellipses, phantomImage, phantomSinogram, smooth } from "../oracle/phantoms.ts";
import { relativeError } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("scans");
const image = { shape: [96, 96], pixelMm: 1 } as const;
const flat = { detector: "flat", sod: 200, sdd: 400, bins: 161, binMm: 1.9, image } as const;
const arc = { detector: "arc", sod: 200, sdd: 400, bins: 161, binMm: 1.9, image } as const;

// the finest Gaussian has a sigma of 1.9 pixels, which linear interpolation blurs by half a percent
const limit = 7e-3;

/** FBP of the exact sinogram of the smooth phantom, relative to the phantom. */
async function error(geometry: Geometry): Promise<number> {
  const phantom = smooth(40);
  const sinogram = volume(phantomSinogram(phantom, geometry), [geometry.angles.length, geometry.bins]);
  return relativeError((await fbp(sinogram, geometry)).data, phantomImage(phantom, geometry));
}

test("coverage is recognised", () => {
  const coverage = (geometry: Geometry) => scanOf(geometry).coverage;
  const parallel = { bins: 137, binMm: 1, image };
  assert.is(coverage(parallelBeam({ ...parallel, angles: { span: 180, count: 90 } })), "half");
  assert.is(coverage(parallelBeam({ ...parallel, angles: { span: 360, count: 91, start: 12 } })), "full");
  assert.is(coverage(parallelBeam({ ...parallel, angles: { span: 120, count: 60 } })), "limited");
  assert.is(coverage(fanBeam({ ...flat, angles: fullScan(200) })), "full");
  assert.is(coverage(fanBeam({ ...flat, angles: { span: 100, count: 100 } })), "limited");
  const short = fanBeam({ ...arc, angles: [0] });
  assert.is(coverage({ ...short, angles: shortScan(short, 220, { start: 300 }) }), "short");
  assert.is(coverage({ ...short, angles: Float64Array.of(0) }), "limited");
});

test("a hole in the list of angles is told, and no other scan has one", () => {
  const without = (from: number, to: number, geometry: Geometry): Geometry => ({
    ...geometry,
    angles: geometry.angles.filter((angle) => angle < from || angle > to),
  });
  const full = fanBeam({ ...flat, angles: fullScan(360) });
  const short = fanBeam({ ...arc, angles: { span: 240, count: 240 } });
  const half = parallelBeam({ bins: 137, binMm: 1, image, angles: { span: 180, count: 180 } });
  for (const geometry of [full, short, half]) assert.is(scanOf(geometry).innerGapDeg, 0);
  assert.is(scanOf(without(200, 240, full)).innerGapDeg, 0); // one hole in a turn is where the scan begins and ends
  assert.ok(Math.abs(scanOf(without(91, 119, short)).innerGapDeg - 30) < 1e-6);
  assert.ok(Math.abs(scanOf(without(50, 60, without(91, 119, half))).innerGapDeg - 12) < 1e-6);
});

const scans: Record<string, Geometry> = {
  "flat fan, full": fanBeam({ ...flat, angles: fullScan(240) }),
  "flat fan, full, cell-centred, backwards": fanBeam({
    ...flat,
    angles: fullScan(240, { cellCentred: true }).reverse(),
  }),
  "flat fan, overscan of 230°": fanBeam({ ...flat, angles: { span: 230, count: 230, start: 77 } }),
  "arc fan, overscan of 300°, reversed bins": fanBeam({ ...arc, binMm: -1.9, angles: { span: 300, count: 300 } }),
  "arc fan, off centre by a quarter bin": fanBeam({ ...arc, offsetBins: 0.25, angles: fullScan(240) }),
  "flat fan, detector pushed to one side": fanBeam({ ...flat, offsetBins: 35, angles: fullScan(240) }),
  "arc fan, detector pushed to the other side": fanBeam({ ...arc, offsetBins: -35, angles: fullScan(240) }),
  "parallel 360, detector pushed to one side": parallelBeam({
    bins: 91,
    binMm: 1,
    offsetBins: -25,
    angles: fullScan(240),
    image,
  }),
  "parallel, angles beyond one turn": parallelBeam({
    bins: 137,
    binMm: 1,
    angles: { start: -500, span: 180, count: 150 },
    image,
  }),
};
{
  const geometry = fanBeam({ ...flat, angles: [0] });
  scans["flat fan, shortest scan"] = { ...geometry, angles: shortScan(geometry, 220, { start: 10 }) };
}
for (const [name, geometry] of Object.entries(scans))
  test(`quantitative: ${name}`, async () => {
    const e = await error(geometry);
    assert.ok(e < limit, `relative error ${e}`);
  });

test("shuffled and uneven angles reconstruct like sorted, even ones", async () => {
  const next = randomSource(5);
  const angles = Array.from({ length: 200 }, (_, i) => (i + 0.7 * next()) * 0.9);
  const sorted = parallelBeam({ bins: 137, binMm: 1, angles, image });
  const e = await error(sorted);
  assert.ok(e < limit, `uneven: ${e}`);
  for (let i = angles.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [angles[i], angles[j]] = [angles[j]!, angles[i]!];
  }
  const shuffled = await error(parallelBeam({ bins: 137, binMm: 1, angles, image }));
  assert.ok(Math.abs(shuffled - e) < 1e-5, `shuffled: ${shuffled}`);
});

test("a wide uniform disc keeps its mean: no DC error, in any beam, non-square pixels", async () => {
  const disc = ellipses([{ value: 0.02, a: 38, b: 30, x: 2, y: -3, deg: 20 }]);
  const grid = { shape: [120, 80], pixelMm: [0.8, 1.2] } as const;
  for (const geometry of [
    parallelBeam({ bins: 137, binMm: 1, angles: { span: 180, count: 180 }, image: grid }),
    fanBeam({ ...flat, angles: fullScan(360), image: grid }),
    fanBeam({ ...arc, angles: fullScan(360), image: grid }),
  ]) {
    const result = await fbp(
      volume(phantomSinogram(disc, geometry), [geometry.angles.length, geometry.bins]),
      geometry,
    );
    let sum = 0;
    let n = 0;
    for (let r = 45; r < 75; r++) for (let c = 30; c < 50; c++, n++) sum += result.data[r * 80 + c]!;
    assert.ok(Math.abs(sum / n / 0.02 - 1) < 1e-3, `${geometry.beam}: mean ${sum / n}`);
  }
});

test("windows and cut-off lower noise, in their order, and keep the mean", async () => {
  const geometry = parallelBeam({ bins: 137, binMm: 1, angles: { span: 180, count: 90 }, image });
  const next = randomSource(9);
  const noise = Float32Array.from({ length: 90 * 137 }, () => next() - 0.5);
  const power = async (options: object) =>
    (await fbp(volume(noise, [90, 137]), geometry, options)).data.reduce((sum, x) => sum + x * x, 0);
  const order = ["ram-lak", "shepp-logan", "cosine", "hamming", "hann"] as const;
  const powers = [];
  for (const filter of order) powers.push(await power({ filter }));
  for (let i = 1; i < powers.length; i++) assert.ok(powers[i]! < powers[i - 1]!, `${order[i]}: ${powers}`);
  assert.ok((await power({ cutoff: 0.5 })) < 0.35 * powers[0]!);
});

test("half the fan angle of both detectors", () => {
  const angle = halfFanDeg(fanBeam({ ...arc, angles: [0] }));
  assert.ok(Math.abs(angle - (((80 * 1.9) / 400) * 180) / Math.PI) < 1e-12);
  assert.ok(
    Math.abs(halfFanDeg(fanBeam({ ...flat, angles: [0] })) - (Math.atan((80 * 1.9) / 400) * 180) / Math.PI) < 1e-12,
  );
});

test.run();
