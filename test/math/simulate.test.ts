/**
 * The simulated scan as a whole: the field's protocol against a chain coded on its own, rays averaged in intensity against disks
 * in closed form, and what each part of the physics must and must not change.
 */
import * as assert from "uvu/assert";
import {
  detectorResponse,
  kVp120,
  linearAttenuation,
  massAttenuation,
  materialOf,
  type Physics,
  type PhysicsJson,
  parsePhysics,
  simulateScan,
} from "../../lib/physics/index.ts";
import { raysOf } from "../../lib/physics/rays.ts";
import { type FanGeometry, fanBeam, fullScan, parallelBeam } from "../../lib/tomography/geometry.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { josephProject } from "../oracle/joseph.ts";
import { metalPathOracle, polychromaticOracle, tissueOracle } from "../oracle/polychromatic.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("simulate");

const n = 64;
const shape = [n, n];
const geometry = fanBeam({
  detector: "flat",
  sod: 400,
  sdd: 800,
  bins: 81,
  binMm: 7,
  angles: fullScan(24, { cellCentred: true }),
  image: { shape: [n, n], pixelMm: 4 },
}) as FanGeometry;

const disk = (x: number, y: number, radius: number, side = n) =>
  Uint8Array.from({ length: side * side }, (_, i) =>
    Math.hypot((i % side) - (side - 1) / 2 - x, (side - 1) / 2 - Math.floor(i / side) - y) < radius ? 1 : 0,
  );
const body = disk(0, 0, 26);
const spine = disk(4, -9, 5);
const hu = { data: Float32Array.from(body, (m, i) => (m ? (spine[i] ? 900 : 30) : -1000)), shape };
const air = { data: new Float32Array(n * n).fill(-1000), shape };
const metalMask = { data: disk(9, 6, 2.6), shape };
const noiseless: PhysicsJson = { photons: null, waterCorrection: "none" };
const mono: PhysicsJson = { ...noiseless, spectrum: { energiesKeV: [70], photons: [1] } };
const at70 = (name: string) => linearAttenuation(materialOf(name), 70);
const run = (json: PhysicsJson, images = hu, mask?: typeof metalMask, seed = 1) =>
  simulateScan(images, { geometry, physics: parsePhysics(json), seed, ...(mask ? { metalMask: mask } : {}) });

function rms(a: ArrayLike<number>, b: ArrayLike<number>, where: (i: number) => boolean = () => true): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < a.length; i++) if (where(i)) [sum, count] = [sum + (a[i]! - b[i]!) ** 2, count + 1];
  return Math.sqrt(sum / count);
}

test("div4: every 80th view of the field's scan is within 7e-4 rms of a chain coded on its own, noise included", async () => {
  const field = await readGeometry(new URL("../../examples/geometry/syndeeplesion-640.json", import.meta.url).pathname);
  const few = { ...field, angles: field.angles.filter((_, i) => i % 80 === 0) };
  const [side] = field.image.shape;
  const torso = disk(0, 0, 150, side);
  const bone = disk(40, -60, 22, side);
  const implant = disk(-30, 20, 9, side);
  const images = { data: Float32Array.from(torso, (m, i) => (m ? (bone[i] ? 700 : 40) : -1000)), shape: [side, side] };
  const mask = { data: implant, shape: [side, side] };
  const { sinogram, cleanSinogram, trace } = await simulateScan(images, { geometry: few, metalMask: mask, seed: 3 });

  const tissue = Array.from(images.data, (value) => tissueOracle(value, 0.0192, 100, 1500));
  const project = (values: ArrayLike<number>) => josephProject(Float32Array.from(values), few);
  const lengths = Array.from(project(implant));
  const { bins } = few;
  const perMm = 4.5 * 0.05361;
  const lines = Array.from(few.angles, (_, v) => metalPathOracle(lengths.slice(v * bins, (v + 1) * bins), perMm, true));
  const layer = (name: string, paths: ArrayLike<number>) => ({
    massAttenuation: Array.from(kVp120.energiesKeV, (keV) => massAttenuation(materialOf(name), keV)),
    atReference: massAttenuation(materialOf(name), 70),
    paths,
  });
  const layers = [
    layer("water", project(tissue.map((t) => t.water))),
    layer("bone", project(tissue.map((t) => t.bone))),
    layer(
      "titanium",
      lines.flatMap((line) => line.paths),
    ),
  ];
  const corrected = (count: number) =>
    polychromaticOracle(Array.from(kVp120.photons), layers.slice(0, count)).map(
      (p) => p * (0.80370341 + p * (0.02301414 - p * 0.0008444)),
    );
  assert.ok(rms(cleanSinogram!.data, corrected(2)) <= 7e-4, `metal-free rms ${rms(cleanSinogram!.data, corrected(2))}`);
  assert.equal(
    Array.from(trace!.data),
    lines.flatMap((line) => line.trace),
  );
  const expected = corrected(3);
  const inTrace = (i: number) => trace!.data[i] === 1;
  // photons behind 7 mm of titanium: e^(p/2)/√2e7 with p up to 7.5
  assert.ok(rms(sinogram.data, expected, inTrace) <= 6e-3, `trace rms ${rms(sinogram.data, expected, inTrace)}`);
});

/** −ln of the mean intensity behind a disk of metal over a bin seen from the source, by many rays. */
function diskIntegral(view: number, bin: number, [x, y]: [number, number], radius: number, mu: number): number {
  const theta = (geometry.angles[view]! * Math.PI) / 180;
  const [u, d] = [
    [Math.cos(theta), Math.sin(theta)],
    [-Math.sin(theta), Math.cos(theta)],
  ] as const;
  const parts = 60;
  let mean = 0;
  for (let s = 0; s < parts; s++) {
    const along = (bin - (geometry.bins - 1) / 2 + (s + 0.5) / parts - 0.5) * geometry.binMm;
    const norm = Math.hypot(along, geometry.sdd);
    const direction = [0, 1].map((i) => (along * u[i as 0]! + geometry.sdd * d[i as 0]!) / norm);
    const from = [0, 1].map((i) => [x, y][i]! + geometry.sod * d[i as 0]!);
    const distance = Math.abs(from[0]! * direction[1]! - from[1]! * direction[0]!);
    mean += Math.exp(-mu * 2 * Math.sqrt(Math.max(0, radius ** 2 - distance ** 2))) / parts;
  }
  return -Math.log(mean);
}

test("subray: a disk of metal as the mean intensity in closed form; whole paths are far from it", async () => {
  const side = 8 * n;
  const mask = { data: disk(72, 48, 36, side), shape: [side, side] };
  const many = await run({ ...mono, metal: { edge: "subray", tissue: "kept" }, rays: { perBin: 8 } }, air, mask);
  const one = await run({ ...mono, metal: { edge: "none" } }, air, mask);
  const exact = Array.from(many.sinogram.data, (_, i) =>
    diskIntegral(Math.floor(i / 81), i % 81, [36, 24], 18, at70("titanium")),
  );
  const [fine, coarse] = [many, one].map(({ sinogram }) => rms(sinogram.data, exact, (i) => many.trace!.data[i] === 1));
  // pixels of half a millimetre: their staircase moves the steepest chord, 2·√(2·18·0.1) mm, by a little
  assert.ok(fine! < 0.06 && coarse! > 4 * fine!, `rms ${fine}, with whole paths ${coarse}`);
  const pixels = { data: disk(9, 6, 4.5), shape };
  const smooth = await run({ ...mono, metal: { edge: "subray", supersample: 4 } }, air, pixels);
  const stairs = await run({ ...mono, metal: { edge: "subray", supersample: 1 } }, air, pixels);
  const radius = Math.sqrt((pixels.data.reduce((sum, m) => sum + m, 0) * 16) / Math.PI);
  const round = exact.map((_, i) => diskIntegral(Math.floor(i / 81), i % 81, [36, 24], radius, at70("titanium")));
  const off = ({ sinogram }: typeof many) => rms(sinogram.data, round, (i) => round[i]! > 0);
  assert.ok(off(smooth) < 0.95 * off(stairs), `${off(smooth)} with a smooth outline, ${off(stairs)} with pixels`);
});

test("tissue under metal: kept it adds to the metal, replaced it does not", async () => {
  const kept = await run({ ...mono, metal: { edge: "subray", tissue: "kept" } }, hu, metalMask);
  const replaced = await run({ ...mono, metal: { edge: "subray" } }, hu, metalMask);
  assertClose(kept.cleanSinogram!.data, replaced.cleanSinogram!.data, { atol: 0.15 }); // pixels' own grid beside the finer one
  const core = replaced.trace!.data.findIndex(
    (t, i) => t === 1 && replaced.sinogram.data[i]! > replaced.cleanSinogram!.data[i]! + 2,
  );
  assert.ok(kept.sinogram.data[core]! > replaced.sinogram.data[core]! + 0.02);
  for (const { sinogram, cleanSinogram, trace } of [kept, replaced])
    assertClose(
      sinogram.data.filter((_, i) => trace!.data[i] === 0),
      cleanSinogram!.data.filter((_, i) => trace!.data[i] === 0),
      { atol: 1e-5 },
    );
});

test("an outline given finer than pixels is taken as it is", async () => {
  const fine = { data: disk(18.5, 12.5, 5.2, 2 * n), shape: [2 * n, 2 * n] };
  const given = await run({ ...mono, metal: { edge: "subray" } }, air, fine);
  const area = fine.data.reduce((sum, m) => sum + m, 0) * 4;
  const view = Array.from(given.sinogram.data.subarray(0, 81));
  // mass of a view: Σ p over the width of a bin at the disk, p small by a thin metal
  const thin = await run({ ...mono, metal: { edge: "subray", density: 1e-3 } }, air, fine);
  const mass = thin.sinogram.data.subarray(0, 81).reduce((sum, p) => sum + p, 0) / (1e-3 * (at70("titanium") / 4.5));
  const width = geometry.binMm * ((geometry.sod + 24) / geometry.sdd); // at the disk's depth, view 0 to 4 %
  assert.ok(Math.abs((mass * width) / area - 1) < 0.1, `${mass * width} beside ${area}`);
  assert.ok(Math.max(...view) > 1);
});

test("crosstalk, smooth and constant scatter act on intensity, after the rays are averaged", async () => {
  const base = await run(noiseless);
  const cross = await run({ ...noiseless, crosstalk: 0.1 });
  assertClose(cross.sinogram.data, (await detectorResponse(base.sinogram, { kernel: [0.05, 0.9, 0.05] })).data, {
    atol: 1e-6,
  });
  const floor = await run({ ...noiseless, scatter: { constant: 0.01 } });
  assertClose(
    floor.sinogram.data,
    base.sinogram.data.map((p) => -Math.log(Math.exp(-p) + 0.01)),
    { atol: 2e-6 },
  );
  const smooth = await run({ ...noiseless, scatter: { fraction: 0.1, sigmaMm: 70 } });
  const middle = 12 * 81 + 40;
  assert.ok(smooth.sinogram.data[middle]! < base.sinogram.data[middle]! - 0.1);
  const empty = await run({ ...noiseless, scatter: { fraction: 0.1 } }, air);
  assertClose(empty.sinogram.data, new Float32Array(24 * 81).fill(-Math.log(1.1)), { atol: 1e-6 });
});

test("a bow-tie is calibrated away, hardens the beam, and takes photons from the edge", async () => {
  const bowtie = { centreMm: 1, edgeMm: 30 };
  const empty = await run({ ...noiseless, bowtie, crosstalk: 0.05 }, air);
  assertClose(empty.sinogram.data, new Float32Array(24 * 81), { atol: 1e-6 });
  const [with_, without] = [await run({ ...noiseless, bowtie }), await run(noiseless)];
  const differences = with_.sinogram.data.map((p, i) => without.sinogram.data[i]! - p);
  assert.ok(Math.min(...differences) > -1e-6 && Math.max(...differences) > 0.01);
  const noisy = await run({ photons: 1e4, scatter: { photons: 0 }, bowtie, waterCorrection: "none" }, air);
  const spread = (bins: number[]) =>
    Math.sqrt(
      bins.reduce(
        (sum, k) =>
          sum + Array.from({ length: 24 }, (_, v) => noisy.sinogram.data[v * 81 + k]! ** 2).reduce((a, b) => a + b),
        0,
      ) /
        (24 * bins.length),
    );
  assert.ok(Math.abs(spread([39, 40, 41]) / 0.0107 - 1) < 0.2, `${spread([39, 40, 41])}`); // 1 mm: e^0.13 of 1e4
  assert.ok(spread([0, 1, 79, 80]) > 2 * spread([39, 40, 41]));
});

test("rays from a wide focal spot: the geometries are those of the moved source, and only edges blur", async () => {
  const spot: Physics["rays"] = { perBin: 1, focalSpotMm: 3, perFocalSpot: 3, perView: 1 };
  const rays = raysOf(geometry, spot) as FanGeometry[];
  assert.is(rays.length, 3);
  for (const [i, mm] of [-1, 0, 1].entries())
    for (const bin of [0, 20, 40, 80]) {
      const line = ({ angles, offsetBins, sod, sdd }: FanGeometry, moved: number) => {
        const t = (angles[5]! * Math.PI) / 180;
        const along = (bin - 40 - offsetBins) * geometry.binMm;
        const [ux, uy] = [Math.cos(t), Math.sin(t)];
        const source = [sod * uy + moved * ux, -sod * ux + moved * uy] as const;
        const end = [-(sdd - sod) * uy + along * ux, (sdd - sod) * ux + along * uy] as const;
        const [dx, dy] = [end[0] - source[0], end[1] - source[1]];
        const norm = Math.hypot(dx, dy);
        return { distance: (source[0] * dy - source[1] * dx) / norm, angle: Math.atan2(dy, dx) };
      };
      const [found, expected] = [line(rays[i]!, 0), line(geometry, mm)];
      assert.ok(Math.abs(found.distance - expected.distance) < 0.4, `${found.distance} beside ${expected.distance}`);
      assert.ok(Math.abs(found.angle - expected.angle) < 1e-3);
    }
  const sharp = await run({ ...mono, metal: { edge: "subray" }, rays: { perBin: 1 } });
  const blurred = await run({ ...mono, metal: { edge: "subray" }, rays: { perBin: 1, focalSpotMm: 12 } });
  const difference = sharp.sinogram.data.map((p, i) => Math.abs(p - blurred.sinogram.data[i]!));
  assert.ok(Math.max(...difference) > 0.05 && difference[12 * 81 + 40]! < 0.05);
  const parallel = parallelBeam({ bins: 9, binMm: 4, angles: [0, 90], image: { shape: [8, 8], pixelMm: 4 } });
  await assertRejects(async () => raysOf(parallel, spot), "ERR_SINO_UNSUPPORTED");
  assert.is(raysOf(parallel, { ...spot, focalSpotMm: 0, perView: 4 }).length, 4);
});

test("water of any tube is straightened by its own fit, and a quarter shift moves the detector", async () => {
  const water = { data: Float32Array.from(body, (m) => (m ? 0 : -1000)), shape };
  const reference = (await run({ ...mono }, water)).sinogram;
  for (const spectrum of ["80kVp", "140kVp", { kVp: 120, filters: { aluminium: 6, copper: 0.3 } }]) {
    const { sinogram } = await run({ photons: null, spectrum }, water);
    const ratios = sinogram.data
      .filter((_, i) => reference.data[i]! > 1)
      .map((p, i) => p / reference.data.filter((q) => q > 1)[i]!);
    assert.ok(
      Math.min(...ratios) > 0.98 && Math.max(...ratios) < 1.02,
      `${Math.min(...ratios)} to ${Math.max(...ratios)}`,
    );
  }
  const shifted = await run({ ...mono, quarterShift: true });
  assert.is(shifted.geometry.offsetBins, 0.25);
  const given = await simulateScan(hu, {
    geometry: { ...geometry, offsetBins: 0.25 },
    physics: parsePhysics(mono),
    seed: 1,
  });
  assertClose(shifted.sinogram.data, given.sinogram.data, { atol: 0 });
});

test("a fraction of the dose: the same scan with the missing noise, and the full dose beside it", async () => {
  const physics: PhysicsJson = { photons: 1e5, scatter: { photons: 0 }, waterCorrection: "none", electronicNoise: 5 };
  const ideal = await run(noiseless);
  const { sinogram, fullDoseSinogram } = await run({ ...physics, dose: 0.25 });
  assertClose(fullDoseSinogram!.data, (await run(physics)).sinogram.data, { atol: 0 });
  const [low, full] = [rms(sinogram.data, ideal.sinogram.data), rms(fullDoseSinogram!.data, ideal.sinogram.data)];
  assert.ok(Math.abs(low / full / 2 - 1) < 0.1, `${low} beside ${full}`); // √4, a little more by the electronics
  assert.is((await run(physics)).fullDoseSinogram, undefined);
});

test("slices alone, in a batch and with a mask each have the same bytes; another seed has others", async () => {
  const json: PhysicsJson = {
    metal: { edge: "subray" },
    rays: { perBin: 2 },
    photons: 1e5,
    electronicNoise: 3,
    bowtie: { edgeMm: 5 },
  };
  const physics = parsePhysics(json);
  const two = { data: Float32Array.from([...hu.data, ...hu.data]), shape: [2, n, n] };
  const masks = { data: Uint8Array.from([...metalMask.data, ...metalMask.data]), shape: [2, n, n] };
  const all = await simulateScan(two, { geometry, physics, metalMask: masks, seed: 4 });
  const same = await simulateScan(two, { geometry, physics, metalMask, seed: 4 });
  assertClose(same.sinogram.data, all.sinogram.data, { atol: 0 });
  const alone = await simulateScan(hu, { geometry, physics, metalMask, seed: 4, firstSlice: 1 });
  assertClose(alone.sinogram.data, all.sinogram.data.subarray(24 * 81), { atol: 1e-6 });
  const other = await simulateScan(hu, { geometry, physics, metalMask, seed: 5, firstSlice: 1 });
  assert.ok(rms(other.sinogram.data, alone.sinogram.data) > 1e-4);
});

test("wrong masks, seeds and physics are refused in words", async () => {
  const refuse = (options: object, code: string) =>
    assertRejects(() => simulateScan(hu, { geometry, seed: 1, ...options }), code);
  const outside = { data: new Uint8Array(n * (n + 8)), shape: [n, n + 8] };
  assert.match((await refuse({ metalMask: outside }, "ERR_SINO_SHAPE")).message, /outside the image/);
  await refuse({ metalMask: { data: new Uint8Array(3 * n * n), shape: [3, n, n] } }, "ERR_SINO_SHAPE");
  await refuse({ metalMask: { data: new Uint8Array(n), shape: [n] } }, "ERR_SINO_SHAPE");
  await refuse({ seed: -1 }, "ERR_SINO_OUT_OF_RANGE");
  await refuse({ geometry: {} }, "ERR_SINO_ARG_TYPE");
  await assertRejects(() => simulateScan({ data: hu.data, shape: [n * n] }, { geometry, seed: 1 }), "ERR_SINO_SHAPE");
  await assertRejects(async () => parsePhysics({ metal: { edge: "div4" }, rays: { perBin: 3 } }), "ERR_SINO_IO_FORMAT");
});

test.run();
