/** The simulator of the mismatch suite: lengths in closed form, agreement with the conventions, and that it shares no code with what it judges. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { suites } from "../../bench/mismatch/cases.ts";
import { areaOf, chords, coverage, moved, outline } from "../../bench/mismatch/metal.ts";
import { randomOf } from "../../bench/mismatch/pairs.ts";
import { type FanGeometry, lineIntegrals, Rays } from "../../bench/mismatch/rays.ts";
import { scan, waterCubic } from "../../bench/mismatch/scan.ts";
import { attenuation, meanEnergy, spectrumOf } from "../../bench/mismatch/spectrum.ts";
import { regions } from "../../bench/mismatch/split.ts";
import { fanBeam } from "../../lib/tomography/geometry.ts";
import { josephProject } from "../oracle/joseph.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("mismatch simulator");

const fan: FanGeometry = { sod: 400, sdd: 800, bins: 121, binMm: 2, views: 12, firstView: 10, viewStep: 30 };
const sharp = { perBin: 1, focalSpotMm: 0, viewShare: 0 };
const side = 128;
const cellMm = 0.6;
const disk = { x: 7.3, y: -4.1, radius: 12.7 };
const circle = Array.from({ length: 720 }, (_, i) => ({
  x: disk.x + disk.radius * Math.cos((2 * Math.PI * i) / 720),
  y: disk.y + disk.radius * Math.sin((2 * Math.PI * i) / 720),
}));

/** Length in the disk of the ray of a bin, by the conventions of the documentation. */
function lengthInDisk(view: number, bin: number): number {
  const theta = ((fan.firstView + view * fan.viewStep) * Math.PI) / 180;
  const [c, s] = [Math.cos(theta), Math.sin(theta)];
  const u = (bin - (fan.bins - 1) / 2) * fan.binMm;
  const direction = { x: u * c - fan.sdd * s, y: u * s + fan.sdd * c };
  const from = { x: disk.x - fan.sod * s, y: disk.y + fan.sod * c };
  const distance = Math.abs(from.x * direction.y - from.y * direction.x) / Math.hypot(direction.x, direction.y);
  return 2 * Math.sqrt(Math.max(0, disk.radius ** 2 - distance ** 2));
}
const worst = (found: ArrayLike<number>, expected: (i: number) => number) =>
  Math.max(...Array.from(found, (value, i) => Math.abs(value - expected(i))));

test("rays in a polygon: a circle of 720 corners in closed form", () => {
  const lengths = chords([circle], new Rays(fan, sharp));
  // the corners lie on the circle: its edge is 1.2e-4 mm inside, where a grazing ray gains most
  assert.ok(worst(lengths, (i) => lengthInDisk(Math.floor(i / fan.bins), i % fan.bins)) < 0.12);
  assert.ok(lengths.some((length) => length > 2 * disk.radius - 0.01));
  assert.ok(lengths.every((length) => length > -1e-4));
});

test("rays in cells: the same disk by its shares of cells, and the projector of the tests on any image", () => {
  const shares = coverage([circle], side, cellMm);
  const area = shares.reduce((sum, share) => sum + share, 0) * cellMm ** 2;
  assert.ok(Math.abs(area - areaOf(circle)) < 1e-3 * area);
  const random = randomOf(4);
  const smooth = Float32Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [(i % side) - 63.5, Math.floor(i / side) - 63.5];
    return Math.exp(-(x * x + y * y) / 800) * (Math.sin(x / 9 + 1) * Math.cos(y / 7) + random() * 0.01);
  });
  const maps = Float32Array.from({ length: 2 * side * side }, (_, i) =>
    i % 2 === 0 ? shares[i >> 1]! : smooth[i >> 1]!,
  );
  const sums = lineIntegrals(maps, side, cellMm, new Rays(fan, sharp));
  const of = (map: number) => Array.from({ length: sums.length / 2 }, (_, i) => sums[2 * i + map]!);
  // grazing rays see the staircase of shares
  assert.ok(worst(of(0), (i) => lengthInDisk(Math.floor(i / fan.bins), i % fan.bins)) < 4);
  const inside = of(0).map((value, i) => value - lengthInDisk(Math.floor(i / fan.bins), i % fan.bins));
  assert.ok(Math.abs(inside.reduce((a, b) => a + b) / of(0).reduce((a, b) => a + b)) < 1e-3);
  const angles = Array.from({ length: fan.views }, (_, v) => fan.firstView + v * fan.viewStep);
  const image = { shape: [side, side] as [number, number], pixelMm: cellMm };
  const joseph = josephProject(smooth, fanBeam({ detector: "flat", ...fan, angles, image }));
  assert.ok(worst(of(1), (i) => joseph[i]!) < 0.15, String(worst(of(1), (i) => joseph[i]!)));
});

test("several rays per bin have the bin's middle as their mean, in focal spot and turn too", () => {
  const slow = { ...fan, viewStep: 0.5 };
  const spread = new Rays(slow, { perBin: 5, focalSpotMm: 0.6, viewShare: 1 });
  const poses = Array.from({ length: 5 }, (_, sub) => spread.pose(3, sub));
  const middle = new Rays(slow, sharp).pose(3, 0);
  const mean = (pick: (pose: (typeof poses)[number]) => number) => poses.reduce((sum, pose) => sum + pick(pose), 0) / 5;
  assert.ok(Math.abs(mean((pose) => pose.x) - middle.x) < 0.01 && Math.abs(mean((pose) => pose.y) - middle.y) < 0.01);
  assert.ok(Math.abs(mean((pose) => pose.binOf(3, 4)) - middle.binOf(3, 4)) < 1e-3);
  for (const pose of poses) {
    const { dx, dy } = pose.towards(40);
    assert.ok(Math.abs(pose.binOf(pose.x + 500 * dx, pose.y + 500 * dy) - 40) < 1e-9);
  }
});

test("metal outlines have the area asked for", () => {
  const random = randomOf(3);
  for (let i = 0; i < 30; i++) assert.ok(Math.abs(areaOf(moved(outline(17, random), { x: 3, y: 4 })) - 17) < 1e-9);
});

test("water comes out straight, counts scatter as they should, metal is seen", () => {
  const tube = { kvp: 120, filterMm: 7, integrates: false, source: "elam" } as const;
  const mean = meanEnergy(spectrumOf(tube));
  assert.ok(mean > 59 && mean < 61, `mean energy ${mean} keV`);
  const cubic = waterCubic(spectrumOf(tube), "elam");
  const { keV, share } = spectrumOf(tube);
  for (const mm of [20, 100, 300]) {
    const through = share.reduce(
      (sum, s, i) =>
        sum + s * Math.exp((-mm * 0.0192 * attenuation("elam", "water", keV[i]!)) / attenuation("elam", "water", 70)),
      0,
    );
    const p = -Math.log(through);
    const straight = cubic[0] * p + cubic[1] * p ** 2 + cubic[2] * p ** 3;
    assert.ok(Math.abs(straight / (mm * 0.0192) - 1) < 0.015, `${mm} mm of water: ${straight}`);
  }
  const [views, bins] = [40, 50];
  const tissue = Float32Array.from({ length: views * bins * 2 }, (_, i) => (i % 2 === 0 ? 2 : 0));
  const paths = { views, bins, perBin: 1, tissue, metals: [new Float32Array(views * bins)] };
  const titanium = { name: "titanium", density: 4.5 } as const;
  const options = { level: "study", metals: [titanium], photons: 1e5 } as const;
  const found = scan(paths, { ...options, random: randomOf(9) });
  const average = found.reduce((sum, value) => sum + value, 0) / found.length;
  assert.ok(Math.abs(average - 2) < 0.02, `mean ${average}`);
  const spread = Math.sqrt(found.reduce((sum, value) => sum + (value - average) ** 2, 0) / found.length);
  const expected = 1.1 / Math.sqrt(1e5 * Math.exp(-1.85)); // the slope of the water correction times 1/√N
  assert.ok(Math.abs(spread / expected - 1) < 0.15, `spread ${spread}, expected ${expected}`);
  const thick = new Float32Array(views * bins).fill(5);
  const metal = scan({ ...paths, metals: [thick] }, { ...options, random: randomOf(9) });
  assert.ok(metal[0]! > found[0]! + 0.8);
  const both = { ...options, metals: [titanium, { name: "iron", density: 7.87 } as const] };
  const second = scan({ ...paths, metals: [thick, thick] }, { ...both, random: randomOf(9) });
  assert.ok(second[0]! > metal[0]! + 1.5, `iron behind titanium: ${second[0]}, titanium alone: ${metal[0]}`);
});

test("nothing of the simulator comes from the product", () => {
  for (const name of ["metal", "rays", "scan", "spectrum"]) {
    const text = readFileSync(join(import.meta.dirname, "../../bench/mismatch", `${name}.ts`), "utf8");
    for (const [, from] of text.matchAll(/from "([^"]+)"/g)) assert.match(from!, /^\.\//, name);
  }
});

test("what is tuned with and what judges are apart; the full suite is what it says", () => {
  const tuning = new Set(regions.filter(({ purpose }) => purpose === "tuning").flatMap(({ files }) => files));
  const judging = regions.filter(({ purpose }) => purpose === "evaluation");
  assert.ok(judging.every(({ files }) => files.every((file) => !tuning.has(file))));
  const tuned = new Set(regions.filter(({ purpose }) => purpose === "tuning").map(({ patient }) => patient));
  assert.ok(judging.every(({ isFresh, patient }) => isFresh !== tuned.has(patient)));
  const names = suites.full.map(({ name }) => name);
  assert.is(new Set(names).size, names.length);
  assert.ok(names.length >= 70 && suites.short.length === 8);
  assert.ok(suites.short.every(({ name }) => names.includes(name)));
  assert.is(new Set(suites.full.map(({ scene }) => scene.region.patient)).size, 7);
  assert.ok(suites.tuning.every(({ scene }) => scene.region.purpose === "tuning"));
});

test.run();
