/** Dual-domain diffusion with networks that are functions: one that knows the image, one that says NaN; weights by their formulas. */
import * as assert from "uvu/assert";
import { type ArrayLike, type Volume, volume } from "../../lib/core/arrays.ts";
import { dualDomain, noiseSchedule, timesteps } from "../../lib/diffusion/index.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { toAttenuation } from "../../lib/image/hounsfield.ts";
import { dilate } from "../../lib/image/morphology.ts";
import { anatomies, strengthFor } from "../../lib/mar/diffusion/anatomy.ts";
import { chainPlan, chainSamplers, chainSettings, fills, runChain } from "../../lib/mar/diffusion/chain.ts";
import { fusionSteps, fusions, maskImage, weightMasks } from "../../lib/mar/diffusion/weights.ts";
import {
  correctImages,
  correctSinogram,
  type DiffusionPrior,
  diffusionImages,
  diffusionMar,
  marPhysics,
  polychromaticMar,
  possibleMetals,
} from "../../lib/mar/index.ts";
import { metalTrace } from "../../lib/mar/sinogram.ts";
import { parsePhysics, simulateMetalPair } from "../../lib/physics/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan } from "../../lib/tomography/geometry.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("diffusion mar");
const n = 96;
const geometry = fanBeam({
  detector: "flat",
  sod: 500,
  sdd: 1000,
  bins: 181,
  binMm: 3.6,
  angles: fullScan(180, { cellCentred: true }),
  image: { shape: [n, n], pixelMm: 2 },
});
const area = n * n;
const each = (value: (x: number, y: number) => number) =>
  Float32Array.from({ length: area }, (_, i) => value((i % n) - (n - 1) / 2, Math.floor(i / n) - (n - 1) / 2));

/** A body with a lung and bones between two metals. */
const sharp = each((x, y) => {
  if (Math.hypot(x / 42, y / 32) > 1) return -1000;
  if (Math.hypot(x + 14, y - 12) < 8) return -800;
  if (Math.hypot(x, y) < 5 || Math.hypot(x - 12, (y + 14) * 1.5) < 6) return 700;
  return 20 + 40 * Math.sin(x / 5) * Math.cos(y / 7);
});
// no edges that FBP would blur: what remains is what metal does
const bodyHu = (await gaussian(volume(sharp, [n, n]), { sigma: 1.5 })).data;
const inMetal = (x: number, y: number) => Math.hypot(x - 18, y) < 4 || Math.hypot(x + 20, y + 4) < 3.5;
const mask = volume(Uint8Array.from(each((x, y) => (inMetal(x, y) ? 1 : 0))), [n, n]);
const nothing = volume(new Uint8Array(area), [n, n]);

const hu = volume(bodyHu, [n, n]);
const { sinogram, image: truth } = await simulateMetalPair(hu, mask, { geometry, seed: 3 });
const scale = { offset: -680, factor: 1 / 460 };

/** A network that always says the image is this one. */
function oracle(image: Float32Array, change: Partial<DiffusionPrior> = {}): DiffusionPrior {
  const x = volume(image.map((value) => (value - scale.offset) * scale.factor) as Float32Array<ArrayBuffer>, [n, n]);
  const schedule = noiseSchedule({ kind: "cosine", steps: 100 });
  return { schedule, prediction: "sample", scale, range: [-0.7, 6], says: async () => x, ...change };
}

/** Root mean square error in HU outside a mask, else the metal. */
function error({ data }: { data: Float32Array }, outside = mask): number {
  let [sum, count] = [0, 0];
  truth.data.forEach((value, i) => {
    if (outside.data[i]) return;
    sum += (data[i]! - value) ** 2;
    count++;
  });
  return (Math.sqrt(sum / count) / 0.0192) * 1000;
}

const nmarImage = (await correctSinogram(sinogram, { metalMask: mask }, geometry)).images;
const inHu = (image: Volume) => image.data.map((mu) => (mu / 0.0192 - 1) * 1000);

test("with a network that knows the image the result is far better than NMAR, whatever the sampler", async () => {
  const before = error(nmarImage);
  for (const sampler of chainSamplers) {
    const { images, slices } = await diffusionMar(sinogram, geometry, oracle(bodyHu), {
      metalMask: mask,
      sampler,
      steps: 4,
    });
    assert.equal(slices, [{ outcome: "corrected" }]);
    assert.ok(error(images) < 0.5 * before, `${sampler}: ${error(images)} HU, NMAR ${before}`);
  }
});

test("from noise, by every mask, schedule and way to fill the trace", async () => {
  // three tenths of the image before correction stay with "cosine"
  const limits = { dudodp: 0.6, cosine: 1.2 };
  const before = error(nmarImage);
  for (const weightMask of weightMasks)
    for (const fusion of fusions)
      for (const fill of fills) {
        const start = fusion === "cosine" ? "nmar" : "noise";
        const options = { metalMask: mask, start, weightMask, fusion, fill, steps: 5 } as const;
        const { images } = await diffusionMar(sinogram, geometry, oracle(bodyHu), options);
        const name = `${weightMask} ${fusion} ${fill}`;
        assert.ok(error(images) < limits[fusion] * before, `${name}: ${error(images)} HU, NMAR ${before}`);
      }
});

test("a network that knows nothing, NMAR's own image, leaves what NMAR made about as good", async () => {
  const { images } = await diffusionMar(sinogram, geometry, oracle(inHu(nmarImage)), { metalMask: mask, steps: 3 });
  assert.ok(error(images) < 1.05 * error(nmarImage), `${error(images)} HU, NMAR ${error(nmarImage)}`);
});

test("one that is wrong is not believed: the rays beside the metal say so", async () => {
  const wrong = oracle(bodyHu.map((_, i) => bodyHu[area - 1 - i]!));
  const run = async (guarded: boolean) =>
    error((await diffusionMar(sinogram, geometry, wrong, { metalMask: mask, steps: 3, guarded })).images);
  const [guarded, blind] = [await run(true), await run(false)];
  assert.ok(guarded < 1.1 * error(nmarImage) && guarded < 0.8 * blind, `${guarded}, ${blind}, ${error(nmarImage)} HU`);
});

test("polychromatic start: rays that physics explains are kept, for a network that knows and for one that does not", async () => {
  const physics = marPhysics(parsePhysics({ name: "syndeeplesion-ti" }));
  const inverted = await polychromaticMar(sinogram, geometry, { metalMask: mask, physics });
  const before = error(inverted.images);
  for (const image of [bodyHu, inHu(nmarImage)]) {
    const options = { metalMask: mask, start: "polychromatic", physics, steps: 3, guarded: false } as const;
    const { images, slices } = await diffusionMar(sinogram, geometry, oracle(image), options);
    assert.equal(slices[0]!.verdict, inverted.slices[0]);
    assert.is(slices[0]!.verdict!.verdict, "full");
    // what NMAR's image adds right beside the metal; without trust in rays it is five times as much as before
    const limit = image === bodyHu ? 1.05 : 1.7;
    assert.ok(error(images) < limit * before, `${error(images)} HU, polychromatic ${before}, NMAR ${error(nmarImage)}`);
  }
});

test("polychromatic start where the physics does not fit: that of NMAR, and a quarter of NMAR itself", async () => {
  const options = { metalMask: mask, steps: 3 } as const;
  const physics = { ...marPhysics(), metals: possibleMetals(["gold"]) };
  const made = await diffusionMar(sinogram, geometry, oracle(bodyHu), { ...options, physics, start: "polychromatic" });
  assert.is(made.slices[0]!.verdict!.verdict, "nmar");
  const { images } = await diffusionMar(sinogram, geometry, oracle(bodyHu), { ...options, start: "nmar" });
  // the same rays, completed from the same network; the starts differ by roundings
  const expected = images.data.map((mu, i) => 0.75 * mu + 0.25 * nmarImage.data[i]!);
  assertClose(made.images.data, expected, { atol: 1e-4 });
});

test("few photons, polychromatic start: bone is no brighter than the inversion shows it", async () => {
  const physics = { ...marPhysics(parsePhysics({ name: "syndeeplesion-ti" })), photons: 1e5 };
  const few = (await simulateMetalPair(hu, mask, { geometry, seed: 3, photons: 1e5 })).sinogram;
  const inverted = await polychromaticMar(few, geometry, { metalMask: mask, physics });
  assert.ok(inverted.slices[0]!.share! > 0);
  const options = { metalMask: mask, start: "polychromatic", physics, steps: 2 } as const;
  const { images } = await diffusionMar(few, geometry, oracle(bodyHu), options);
  const bone = Array.from(inverted.images.data, (mu, i) => (mu > 0.0192 * 1.3 && !mask.data[i] ? i : -1)).filter(
    (i) => i >= 0,
  );
  assert.ok(bone.length > 50);
  for (const i of bone) assert.ok(images.data[i]! <= inverted.images.data[i]! + 1e-7, `pixel ${i}`);
});

test("a share of the start stays in the result, and bone no brighter than told, where a slice asks for it", async () => {
  const prior = oracle(bodyHu);
  const plan = await chainPlan(geometry, {});
  const chain = { prior, settings: chainSettings(prior, { steps: 2, seed: 1 }), geometry, plan, muWater: 0.0192 };
  const anchor = await fbp(sinogram, geometry);
  const start = volume(anchor.data.map((mu) => 0.5 * mu) as Float32Array<ArrayBuffer>, [n, n]);
  const trace = await metalTrace(mask, geometry);
  const target = volume(sinogram.data as Float32Array<ArrayBuffer>, sinogram.shape);
  const slice = { number: 0, target, anchor, trace, metal: mask, start, before: anchor, refinements: 0 };
  const without = await runChain(chain, slice, {});
  const within = await runChain(chain, { ...slice, startShare: 0.25 }, {});
  const bone = volume(without.data.map((mu) => 0.9 * mu) as Float32Array<ArrayBuffer>, [n, n]);
  const dark = await runChain(chain, { ...slice, bone }, {});
  plan.dispose();
  // from 300 HU on
  const level = Math.fround(0.0192 * 1.3);
  const most = without.data.map((mu, i) => (bone.data[i]! >= level ? bone.data[i]! : mu));
  assertClose(dark.data, most, { atol: 1e-8 });
  assert.ok(most.filter((mu, i) => mu < without.data[i]!).length > 5);
  const expected = without.data.map((mu, i) => 0.75 * mu + 0.25 * start.data[i]!);
  assertClose(within.data, expected, { atol: 1e-8 });
  assert.ok(Math.max(...within.data.map((mu, i) => Math.abs(mu - without.data[i]!))) > 1e-3);
});

test("the refinement of the last step sharpens, and makes no bone brighter", async () => {
  const prior = oracle(bodyHu);
  const plan = await chainPlan(geometry, {});
  const chain = { prior, settings: chainSettings(prior, { steps: 2, seed: 1 }), geometry, plan, muWater: 0.0192 };
  const anchor = await fbp(sinogram, geometry, { route: "rebinned" });
  const trace = await metalTrace(mask, geometry);
  const target = volume(sinogram.data as Float32Array<ArrayBuffer>, sinogram.shape);
  const slice = { number: 0, target, anchor, trace, metal: mask, start: nmarImage, before: nmarImage };
  const [plain, refined] = [
    await runChain(chain, { ...slice, refinements: 0 }, {}),
    await runChain(chain, { ...slice, refinements: 3 }, {}),
  ];
  plan.dispose();
  const bone = 0.0192 * 1.3;
  // roundings of an image in the network's units
  const brighter = (isBone: boolean) =>
    refined.data.filter((mu, i) => plain.data[i]! > bone === isBone && mu > plain.data[i]! + 1e-7).length;
  assert.is(brighter(true), 0);
  assert.ok(brighter(false) > 500);
  assert.ok(error(refined) < error(plain));
});

test("a slice depends on seed and number alone; one without metal is the plain reconstruction", async () => {
  // half the network's image is noise that it has seen
  const says = async (x: Volume) => volume(x.data.map((v) => 0.5 * v) as Float32Array<ArrayBuffer>, [n, n]);
  const prior = oracle(bodyHu, { says, lanes: 2 });
  const rays = sinogram.data.length;
  const stack = new Float32Array(3 * rays);
  for (let s = 0; s < 3; s++) stack.set(sinogram.data, s * rays);
  const masks = Uint8Array.from([...mask.data, ...nothing.data, ...mask.data]);
  const sinograms = volume(stack, [3, ...sinogram.shape]);
  const options = { metalMask: volume(masks, [3, n, n]), steps: 3, strength: 0.3, guarded: false };
  const seen: number[] = [];
  const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }) => {
    if (phase === "diffusion") seen.push(done / total);
  };
  const three = await diffusionMar(sinograms, geometry, prior, { ...options, seed: 5, onProgress });
  assert.equal(
    three.slices.map(({ outcome }) => outcome),
    ["corrected", "none", "corrected"],
  );
  assert.equal(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.is(seen.at(-1), 1);
  const at = (images: Volume, s: number) => images.data.subarray(s * area, (s + 1) * area);
  const one = await diffusionMar(sinogram, geometry, prior, { ...options, metalMask: mask, seed: 5 });
  assertClose(at(three.images, 0), one.images.data, { atol: 0 });
  const differs = (a: Float32Array, b: Float32Array) => a.some((value, i) => Math.abs(value - b[i]!) > 1e-5);
  assert.ok(differs(at(three.images, 0), at(three.images, 2)));
  const other = await diffusionMar(sinogram, geometry, prior, { ...options, metalMask: mask, seed: 6 });
  assert.ok(differs(other.images.data, one.images.data));
  assertClose(at(three.images, 1), (await fbp(sinogram, geometry)).data, { atol: 0 });
});

test("an anatomy says how much noise the start gets, by the share of the image that is metal; a strength outweighs it", async () => {
  // 78 of 9216 pixels are metal: many
  const made = async (options: object) =>
    (await diffusionMar(sinogram, geometry, noisy, { metalMask: mask, steps: 2, guarded: false, ...options })).images;
  const says = async (x: Volume) => volume(x.data.map((v) => 0.5 * v) as Float32Array<ArrayBuffer>, [n, n]);
  const noisy = oracle(bodyHu, { says, schedule: noiseSchedule({ kind: "cosine", steps: 1000 }) });
  for (const anatomy of anatomies)
    assert.equal(
      (await made({ anatomy })).data,
      (await made({ strength: strengthFor(anatomy, 78 / area) })).data,
      anatomy,
    );
  assert.equal((await made({ anatomy: "head", strength: 0.3 })).data, (await made({ strength: 0.3 })).data);
  assert.not.equal((await made({ strength: 0.3 })).data, (await made({ anatomy: "head" })).data);
  assert.is(strengthFor("head", 0), 0.05);
  assert.is(strengthFor("head", 0.5), 0.1);
  // halfway in the logarithm
  assert.ok(Math.abs(strengthFor("head", Math.sqrt(6e-4 * 6e-3)) - 0.075) < 1e-12);
});

test("NaN from the network: that slice is what it started from and counts as failed, the other is corrected", async () => {
  let asked = 0;
  const good = oracle(bodyHu);
  const says = async (x: Volume, t: number) => {
    asked++;
    const said = await good.says(x, t);
    if (asked !== 2) return said;
    const broken = Float32Array.from(said.data);
    broken[7] = Number.NaN;
    return volume(broken, [n, n]);
  };
  const two = volume(new Float32Array(2 * sinogram.data.length), [2, ...sinogram.shape]);
  two.data.set(sinogram.data);
  two.data.set(sinogram.data, sinogram.data.length);
  const metalMask = volume(Uint8Array.from([...mask.data, ...mask.data]), [2, n, n]);
  const made = await diffusionMar(two, geometry, { ...good, says }, { metalMask, steps: 3 });
  assert.equal(
    made.slices.map(({ outcome }) => outcome),
    ["failed", "corrected"],
  );
  assert.match(made.slices[0]!.reason!, /Step 1 \(timestep \d+\) made 1 values that are NaN/);
  assertClose(made.images.data.subarray(0, area), nmarImage.data, { atol: 0 });
  assert.ok(error({ data: made.images.data.subarray(area) }) < 0.5 * error(nmarImage));
});

test("aborts with the reason, and refuses what cannot be", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const good = oracle(bodyHu);
  const says = (x: Volume, t: number) => {
    controller.abort(reason);
    return good.says(x, t);
  };
  const { signal } = controller;
  await diffusionMar(sinogram, geometry, { ...good, says }, { metalMask: mask, signal }).then(
    () => assert.unreachable(),
    (error) => assert.is(error, reason),
  );
  const refused = (code: string, options: object, given: ArrayLike = sinogram) =>
    assertRejects(() => diffusionMar(given, geometry, good, { metalMask: mask, ...options }), code);
  await refused("ERR_SINO_OUT_OF_RANGE", { steps: 101 });
  await refused("ERR_SINO_OUT_OF_RANGE", { strength: 0 });
  await refused("ERR_SINO_OUT_OF_RANGE", { anatomy: "knee" });
  await refused("ERR_SINO_OUT_OF_RANGE", { start: "li" });
  await refused("ERR_SINO_OUT_OF_RANGE", { sampler: "euler" });
  await refused("ERR_SINO_OUT_OF_RANGE", { weightMask: "edge" });
  await refused("ERR_SINO_OUT_OF_RANGE", { muWater: 0.192 });
  await refused("ERR_SINO_SHAPE", { metalMask: volume(new Uint8Array(4), [2, 2]) });
  const broken = volume(Float32Array.from(sinogram.data), [...sinogram.shape]);
  broken.data[5] = Number.NaN;
  await refused("ERR_SINO_OUT_OF_RANGE", {}, broken);
  await assertRejects(
    () =>
      diffusionMar(
        sinogram,
        geometry,
        { ...good, says: async () => volume(new Float32Array(4), [2, 2]) },
        { metalMask: mask },
      ),
    "ERR_SINO_SHAPE",
  );
});

test("images alone: better than NMAR where the network knows, bit for bit where there is no metal or the network fails", async () => {
  const image = await fbp(sinogram, geometry);
  const clinical = inHu(image).map((value, i) => (mask.data[i] ? 6000 : Math.max(-1000, value)));
  const stack = volume(Float32Array.from([...bodyHu, ...clinical]), [2, n, n]);
  const options = { pixelMm: 2, steps: 4, strength: 0.2 };
  const prior = oracle(bodyHu);
  const made = await diffusionImages(stack, prior, options);
  assert.equal(
    made.slices.map(({ outcome }) => outcome),
    ["none", "corrected"],
  );
  assert.equal(made.changed, [false, true]);
  assertClose(made.hu.data.subarray(0, area), bodyHu, { atol: 0 });
  const before = made.hu.data.subarray(area);
  const nmar = (await correctImages(stack, options)).hu.data.subarray(area);
  made.metal.data.subarray(area).forEach((set, i) => {
    if (set) assert.is(before[i], clinical[i]);
  });
  const muOf = (data: Float32Array<ArrayBuffer>) => toAttenuation({ data, shape: [n, n] }, 0.0192);
  // the ring around the metal is put back from NMAR
  const wide = await dilate(mask, { radius: 3 });
  const [ours, theirs] = [error(await muOf(before), wide), error(await muOf(nmar), wide)];
  // of 142 HU; what streaks an image has beside the trace stays
  assert.ok(ours < 0.985 * theirs, `${ours} HU, NMAR ${theirs}`);
  const broken = oracle(new Float32Array(area).fill(Number.NaN));
  const failed = await diffusionImages(stack, broken, options);
  assert.equal([failed.slices[1]!.outcome, failed.changed], ["failed", [false, false]]);
  assertClose(failed.hu.data, stack.data, { atol: 0 });
});

test("weights: DuDoDp's over a whole schedule, the distance's formula, the cosine", async () => {
  const schedule = noiseSchedule({ steps: 1000 });
  const list = timesteps(schedule, 100, { spacing: "trailing" });
  const expected = dualDomain(schedule, list);
  fusionSteps(schedule, list, "dudodp", "fbp").forEach((step, i) => {
    for (const [name, value] of Object.entries(expected[i]!))
      assert.ok(Math.abs(step[name as keyof typeof step] - value) < 1e-12, name);
  });
  const [first] = fusionSteps(schedule, [499, 0], "cosine", "distance");
  assert.ok(Math.abs(first!.delta - (0.5 * 0.95 ** 5 * (1 + Math.cos(Math.PI / 2))) / 2) < 1e-12);
  assert.equal([first!.keep, first!.deltaMeasured], [0.7, 0]);
  const near = await maskImage("distance", { trace: mask, metal: mask }, geometry, {});
  const oracleOf = (i: number) => {
    let least = Number.POSITIVE_INFINITY;
    mask.data.forEach((set, k) => {
      if (set) least = Math.min(least, Math.hypot((i % n) - (k % n), Math.floor(i / n) - Math.floor(k / n)));
    });
    return 1 + 0.5 / (1 + Math.exp(least - 5));
  };
  // float32 through two exponentials
  assertClose(
    near.data,
    Float64Array.from({ length: area }, (_, i) => oracleOf(i)),
    { atol: 2e-6 },
  );
  const none = await maskImage("none", { trace: mask, metal: mask }, geometry, {});
  assert.ok(none.data.every((value) => value === 1));
});

test.run();
