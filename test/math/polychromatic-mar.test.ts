/** Polychromatic inversion on scans in closed form (chords of ellipses, several rays per bin), and what it makes of bad input. */
import * as assert from "uvu/assert";
import { type ArrayLike, type Volume, volume } from "../../lib/core/arrays.ts";
import { dilate } from "../../lib/image/morphology.ts";
import {
  correctSinogram,
  findMetalInSinograms,
  type MarPhysics,
  marPhysics,
  polychromaticMar,
  possibleMetals,
} from "../../lib/mar/index.ts";
import { linearAttenuation, massAttenuation, materialOf, simulateMetalPair } from "../../lib/physics/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan } from "../../lib/tomography/geometry.ts";
import { ellipses, phantomImage, phantomSinogram } from "../oracle/phantoms.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("polychromatic mar");
const n = 128;
const views = 240;
const bins = 271;
const raysPerBin = 3;
const photons = 2e7;
const scan = (count: number) =>
  fanBeam({
    detector: "flat",
    sod: 500,
    sdd: 1000,
    bins: count,
    binMm: (2.4 * bins) / count,
    angles: fullScan(views, { cellCentred: true }),
    image: { shape: [n, n], pixelMm: 1.5 },
  });
const geometry = scan(bins);
const fine = scan(bins * raysPerBin);
const mu = 0.0192;

type Beam = Pick<MarPhysics, "spectrum" | "waterCorrection">;

/** Which tissue lies where: water 1, bone 1; metal is cut out of both. */
const at = (value: number, x: number, y: number, a: number, b = a, deg = 0) => ({ value, x, y, a, b, deg });
const body = [at(1, 0, 0, 85, 65), at(-1, 0, -38, 12)];
const spine = [at(1, 0, -38, 12)];
const lung = [at(-0.7, 45, 15, 16, 24)];
const boneMu = 2.5 * mu; // 1500 HU: all bone

interface Metal {
  discs: ReturnType<typeof at>[];
  name: string;
  density: number;
}
const simulate = (discs: Metal["discs"], name: string, density: number, beam?: Beam): Volume =>
  simulateMetals([{ discs, name, density }], beam);

/** Water-corrected sinogram of the body with metal discs. */
function simulateMetals(metals: Metal[], beam: Beam = marPhysics()): Volume {
  const without = metals.flatMap(({ discs }) => discs.map((disc) => ({ ...disc, value: -1 })));
  const water = ellipses([...body, ...lung, ...without]);
  const materials = ["water", "bone", ...metals.map(({ name }) => name)].map(materialOf);
  const levels = metals.map(({ name, density }) => linearAttenuation(materialOf(name), 70, density));
  const reference = [mu, boneMu, ...levels];
  const paths = [water, ellipses(spine), ...metals.map(({ discs }) => ellipses(discs))].map((phantom) =>
    phantomSinogram(phantom, fine),
  );
  const third = (values: Float64Array) => Array.from(values).filter((_, e) => e % 3 === 1);
  const [energies, spectrum] = [third(beam.spectrum.energiesKeV), third(beam.spectrum.photons)];
  const ratios = materials.map((m) => energies.map((keV) => massAttenuation(m, keV) / massAttenuation(m, 70)));
  const total = spectrum.reduce((sum, s) => sum + s, 0);
  const [a, b, c] = beam.waterCorrection as [number, number, number];
  return perBin((first) => {
    let transmission = 0;
    for (let ray = first; ray < first + raysPerBin; ray++) {
      const p = paths.map((path, m) => path[ray]! * reference[m]!);
      spectrum.forEach((s, e) => {
        transmission += (s / total) * Math.exp(-p.reduce((sum, path, m) => sum + path * ratios[m]![e]!, 0));
      });
    }
    const p = -Math.log(transmission / raysPerBin);
    return p * (a + p * (b + p * c));
  });
}
const perBin = (value: (firstRay: number) => number): Volume =>
  volume(
    Float32Array.from({ length: views * bins }, (_, ray) => value(ray * raysPerBin)),
    [views, bins],
  );

/** What a perfect method reconstructs: tissue at one energy, sampled like the scan. */
async function perfect(): Promise<Volume> {
  const [water, bone] = [ellipses([...body, ...lung]), ellipses(spine)].map((phantom) =>
    phantomSinogram(phantom, fine),
  );
  const at70keV = perBin((first) => {
    let sum = 0;
    for (let ray = first; ray < first + raysPerBin; ray++) sum += mu * water![ray]! + boneMu * bone![ray]!;
    return sum / raysPerBin;
  });
  return fbp(at70keV, geometry);
}

const discs = [at(1, -35, 18, 7.4), at(1, 40, -25, 5)];
const known = (edge: MarPhysics["edge"]): MarPhysics => ({ ...marPhysics(), edge, photons, scatter: 0 });
/** Root mean square error in HU, 3 mm and more away from metal. */
function error(image: { data: Float32Array }, reference: { data: Float32Array }, metal = discs): number {
  let [sum, count] = [0, 0];
  reference.data.forEach((value, i) => {
    const [x, y] = [((i % n) - 63.5) * 1.5, (63.5 - Math.floor(i / n)) * 1.5];
    if (Math.hypot(x / 85, y / 65) > 0.95 || metal.some((d) => Math.hypot(x - d.x, y - d.y) < d.a + 3)) return;
    sum += (image.data[i]! - value) ** 2;
    count++;
  });
  return (Math.sqrt(sum / count) / mu) * 1000;
}
async function nmarOfFoundMetal(sinogram: ArrayLike): Promise<Volume> {
  const metalMask = await dilate(await findMetalInSinograms(sinogram, geometry), { radius: 1 });
  return (await correctSinogram(sinogram, { metalMask }, geometry)).images;
}

const iron = simulate(discs, "iron", 7.6);
const reference = await perfect();

// where nothing is known, the energy is integrated
const { scanner } = marPhysics();
const unknown = { titanium: simulate(discs, "titanium", 4.6, scanner), iron: simulate(discs, "iron", 7.6, scanner) };

for (const [name, sinogram] of Object.entries(unknown))
  test(`${name}, nothing known: material and density are found, the error is below NMAR's`, async () => {
    const { images, slices, metal } = await polychromaticMar(sinogram, geometry, {
      physics: known("auto"),
      refinements: 0,
    });
    const [{ verdict, material, density, edge, metalPixels, signals }] = slices as [(typeof slices)[0]];
    assert.is(material, name);
    assert.is(edge, "subray");
    assert.ok(verdict === "full" || verdict === "blend", verdict);
    // titanium 4.6 of 4.5, iron 7.6 of 7.8
    assert.ok(Math.abs(density! - (name === "iron" ? 7.6 / 7.8 : 4.6 / 4.5)) < 0.08, `density × ${density}`);
    assert.ok(Math.abs(metalPixels - (Math.PI * (7.4 ** 2 + 25)) / 2.25) < 12, `${metalPixels} pixels of metal`);
    assert.is(
      metal.data.reduce((sum, m) => sum + m, 0),
      metalPixels,
    );
    assert.ok(Object.values(signals!).every(Number.isFinite), JSON.stringify(signals));
    const [ours, nmar] = [error(images, reference), error(await nmarOfFoundMetal(sinogram), reference)];
    assert.ok(ours < 36 && ours < 0.85 * nmar, `${ours} HU, NMAR ${nmar} HU`);
  });

test("titanium beside iron has its own level and outline: the error is below NMAR's", async () => {
  const [first, second] = discs as [(typeof discs)[0], (typeof discs)[0]];
  const titanium: Metal = { discs: [first], name: "titanium", density: 4.5 };
  const sinogram = simulateMetals([titanium, { discs: [second], name: "iron", density: 7.8 }], scanner);
  const { images, slices, metal } = await polychromaticMar(sinogram, geometry, {
    physics: known("auto"),
    refinements: 0,
  });
  assert.is(slices[0]!.verdict, "full");
  assert.is(slices[0]!.material, "iron");
  const inside = metal.data.filter((set, i) => {
    const [x, y] = [((i % n) - 63.5) * 1.5, (63.5 - Math.floor(i / n)) * 1.5];
    return set === 1 && Math.hypot(x - first.x, y - first.y) < first.a + 3;
  });
  assert.ok(Math.abs(inside.length - (Math.PI * first.a ** 2) / 2.25) < 12, `${inside.length} pixels of titanium`);
  const [ours, nmar] = [error(images, reference), error(await nmarOfFoundMetal(sinogram), reference)];
  assert.ok(ours < 36 && ours < 0.85 * nmar, `${ours} HU, NMAR ${nmar} HU`);
});

test("a plate of a pixel and a half, whose rays all lie partly in metal, is not given up", async () => {
  const plate = [at(1, -30, 8, 9, 1.1, 30)];
  const sinogram = simulate(plate, "iron", 7.8, scanner);
  const { images, slices } = await polychromaticMar(sinogram, geometry, { physics: known("auto"), refinements: 0 });
  const { verdict, material, signals } = slices[0]!;
  assert.ok(verdict === "full" || verdict === "blend", JSON.stringify(signals));
  assert.is(material, "iron");
  const [ours, nmar] = [error(images, reference, plate), error(await nmarOfFoundMetal(sinogram), reference, plate)];
  // 20 HU and 30 HU
  assert.ok(ours < 0.75 * nmar, `${ours} HU, NMAR ${nmar} HU`);
});

test("the field's pairs: the edge model is found, a given mask is kept", async () => {
  const hu = volume(
    phantomImage(ellipses([...body, ...lung, ...spine.map((s) => ({ ...s, value: 2.5 }))]), geometry).map(
      (x) => (x - 1) * 1000,
    ),
    [n, n],
  );
  const mask = volume(
    Uint8Array.from({ length: n * n }, (_, i) =>
      Number(discs.some((d) => Math.hypot(((i % n) - 63.5) * 1.5 - d.x, (63.5 - Math.floor(i / n)) * 1.5 - d.y) < d.a)),
    ),
    [n, n],
  );
  const pair = await simulateMetalPair(hu, mask, { geometry, seed: 1 });
  const blind = await polychromaticMar(pair.sinogram, geometry);
  assert.is(blind.slices[0]!.edge, "div4");
  assert.is(blind.slices[0]!.material, "titanium");
  const wrong = blind.metal.data.reduce((sum, m, i) => sum + Number(m !== mask.data[i]), 0);
  assert.ok(wrong <= 10, `${wrong} pixels of the mask differ`);
  const physics: MarPhysics = { ...marPhysics(), edge: "div4", metals: possibleMetals(["titanium"], 0) };
  const given = await polychromaticMar(pair.sinogram, geometry, { physics, metalMask: mask, guarded: false });
  const nmar = await correctSinogram(pair.sinogram, { metalMask: mask }, geometry);
  const compare = [blind.images, given.images, nmar.images].map((image) => error(image, pair.image));
  assert.ok(compare[0]! < 0.5 * compare[2]! && compare[1]! < 0.5 * compare[2]!, `errors ${compare} HU`);
  assert.is(given.slices[0]!.verdict, "full");
});

test("metal that no candidate explains falls back to NMAR of the same mask, bit for bit", async () => {
  const sinogram = simulate([at(1, -35, 18, 7.4)], "gold", 19.3);
  const { images, slices } = await polychromaticMar(sinogram, geometry, { physics: known("subray") });
  assert.is(slices[0]!.verdict, "nmar");
  assertClose(images.data, (await nmarOfFoundMetal(sinogram)).data, { atol: 0 });
});

test("a slice without metal is the plain reconstruction; a batch is its slices", async () => {
  const sinogram = simulate([], "titanium", 4.5);
  const size = views * bins;
  const both = volume(new Float32Array(2 * size), [2, views, bins]);
  both.data.set(sinogram.data);
  both.data.set(iron.data, size);
  const { images, slices } = await polychromaticMar(both, geometry, { physics: known("subray") });
  assert.is(slices[0]!.verdict, "none");
  const plain = await fbp(sinogram, geometry);
  assertClose(
    images.data.subarray(0, n * n),
    plain.data.map((x) => Math.max(x, 0)),
    { atol: 1e-7 },
  );
  const alone = await polychromaticMar(iron, geometry, { physics: known("subray") });
  assertClose(images.data.subarray(n * n), alone.images.data, { atol: 0 });
  assert.equal(slices[1], alone.slices[0]);
});

test("a mask where no metal is, or no ray, is answered with NMAR and never with NaN", async () => {
  const maskOf = (inside: (i: number) => boolean) =>
    volume(
      Uint8Array.from({ length: n * n }, (_, i) => Number(inside(i))),
      [n, n],
    );
  const air = maskOf((i) => i >= 5 * n + 60 && i < 5 * n + 63);
  const corner = maskOf((i) => i === 0);
  const most = maskOf((i) => Math.hypot((i % n) - 64, Math.floor(i / n) - 64) < 48);
  const negative = volume(
    iron.data.map((p) => p - 5),
    [views, bins],
  );
  for (const [sinogram, metalMask, guarded] of [
    [iron, air, true],
    [iron, corner, true],
    [iron, corner, false],
    [iron, most, true],
    [negative, undefined, true],
  ] as const) {
    const { images, slices } = await polychromaticMar(sinogram, geometry, {
      metalMask,
      guarded,
      physics: known("subray"),
    });
    assert.ok(images.data.every(Number.isFinite), "not finite");
    if (metalMask !== most) assert.is(slices[0]!.verdict, "nmar");
  }
});

test("bad input is told in words", async () => {
  const sinogram = iron;
  const counts = volume(
    sinogram.data.map((p) => photons * Math.exp(-p)),
    [views, bins],
  );
  assert.match(
    (await assertRejects(() => polychromaticMar(counts, geometry), "ERR_SINO_OUT_OF_RANGE")).message,
    /Counts\?/,
  );
  const transmissions = volume(
    sinogram.data.map((p) => Math.exp(-p)),
    [views, bins],
  );
  assert.match(
    (await assertRejects(() => polychromaticMar(transmissions, geometry), "ERR_SINO_OUT_OF_RANGE")).message,
    /ends of the detector/,
  );
  const holed = volume(sinogram.data.slice(), [views, bins]);
  holed.data[77] = Number.POSITIVE_INFINITY;
  assert.match(
    (await assertRejects(() => polychromaticMar(holed, geometry), "ERR_SINO_OUT_OF_RANGE")).message,
    /NaN or infinite/,
  );
  const metalMask = volume(new Uint8Array(40), [5, 8]);
  assert.match(
    (await assertRejects(() => polychromaticMar(sinogram, geometry, { metalMask }), "ERR_SINO_SHAPE")).message,
    /metalMask/,
  );
  const all = volume(new Uint8Array(n * n).fill(1), [n, n]);
  await assertRejects(() => polychromaticMar(sinogram, geometry, { metalMask: all }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => polychromaticMar(sinogram, geometry, { iterations: 11 }), "ERR_SINO_OUT_OF_RANGE");
  assert.throws(() => possibleMetals(["unobtainium"]), /unobtainium/);
  assert.throws(() => possibleMetals([]), /at least one/);
});

test.run();
