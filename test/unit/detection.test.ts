/** Task signal-to-noise ratio in closed form, and lesions found before and after a restoration. */
import * as assert from "uvu/assert";
import { type ArrayLike, type Volume, volume } from "../../lib/core/arrays.ts";
import { gaussian } from "../../lib/image/gaussian.ts";
import { combine } from "../../lib/image/pixels.ts";
import { lesionDetection, noisePowerSpectrum, taskSnr } from "../../lib/metrics/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("detection");

const frequencies = Float64Array.from({ length: 400 }, (_, k) => k / 100);
const curve = (of: (f: number) => number) => frequencies.map(of);
const sharp = { frequencies, mtf: curve(() => 1) };

/** White noise of deviation 10, a slice each. */
function white(slices: number, rows: number, columns: number): Volume {
  const next = randomSource(11);
  const normal = () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  return volume(
    Float32Array.from({ length: slices * rows * columns }, () => 10 * normal()),
    [slices, rows, columns],
  );
}

test("in white noise both observers see contrast·√(area/noise power)", () => {
  const noise = { frequencies, radial: curve(() => 6) };
  const task = { diameterMm: 5, contrast: 3 };
  const expected = 3 * Math.sqrt((Math.PI * 2.5 ** 2) / 6);
  // Parseval; 2/(π²·d·f) of the disc's energy lies beyond f = 4 per mm, 1 %
  for (const observer of ["npw", "ideal"] as const) {
    const found = taskSnr(sharp, noise, { ...task, observer });
    assert.ok(Math.abs(found / expected - 1) < 6e-3, `${observer}: ${found} instead of ${expected}`);
  }
  assert.is(taskSnr(sharp, noise, { ...task, contrast: 0 }), 0);
  const twice = taskSnr(sharp, noise, { ...task, contrast: 6 });
  assert.ok(Math.abs(twice / taskSnr(sharp, noise, task) - 2) < 1e-9);
});

test("blur of signal and noise alike changes nothing for the ideal observer, and something for the other", () => {
  const task = { diameterMm: 4, contrast: 2 };
  const blurred = { frequencies, mtf: curve((f) => Math.exp(-(f ** 2))) };
  const coloured = { frequencies, radial: curve((f) => 6 * Math.exp(-2 * f ** 2)) };
  const plain = { frequencies, radial: curve(() => 6) };
  const ideal = taskSnr(blurred, coloured, { ...task, observer: "ideal" });
  // curves are linear between points 0.01 per mm apart
  assert.ok(Math.abs(ideal / taskSnr(sharp, plain, { ...task, observer: "ideal" }) - 1) < 1e-3);
  const npw = taskSnr(blurred, coloured, task);
  assert.ok(npw < ideal && npw > 0.9 * ideal, `${npw} and ${ideal}`);
  // noise where the signal is: the other observer loses more
  const low = { frequencies, radial: curve((f) => 1 + 200 * Math.exp(-((f / 0.1) ** 2))) };
  assert.ok(taskSnr(sharp, low, task) < 0.8 * taskSnr(sharp, low, { ...task, observer: "ideal" }));
});

test("on a measured spectrum", async () => {
  const noise = await noisePowerSpectrum(white(40, 64, 64), { size: 32 });
  const found = taskSnr({ frequencies, mtf: curve(() => 1) }, noise, { diameterMm: 8, contrast: 5 });
  // σ² = 100 in pixels of 1 mm²; beyond Nyquist 5 % of the energy are left out
  assert.ok(Math.abs(found / (5 * Math.sqrt((Math.PI * 16) / 100)) - 1) < 0.04, `${found}`);
});

test("a lesion in white noise is found as theory says, and a restoration is judged", async () => {
  const images = white(600, 33, 33);
  const lesion = { diameter: 6, contrast: 5 };
  const same = await lesionDetection(images, { ...lesion, restore: async (given) => given });
  // the pixels of the disc, with a soft edge: contrast·√(Σ profile²)/σ = 2.4; six channels and 300 pairs
  assert.ok(Math.abs(same.before.dPrime / 2.45 - 1) < 0.15, `${same.before.dPrime}`);
  assert.ok(Math.abs(same.after!.dPrime - same.before.dPrime) < 1e-4);
  const blur = (sigma: number) => (given: ArrayLike) => gaussian(given, { sigma });
  const smooth = await lesionDetection(images, { ...lesion, restore: blur(1) });
  assert.ok(smooth.after!.dPrime > 0.85 * smooth.before.dPrime, `${smooth.after!.dPrime}`);
  const hides = await lesionDetection(images, { ...lesion, restore: (given) => combine([[0.1, given]], { low: 1 }) });
  assert.ok(hides.after!.dPrime < 0.9 * hides.before.dPrime, `${hides.after!.dPrime}`);
  const none = await lesionDetection(images, { ...lesion, contrast: 0 });
  assert.ok(none.before.dPrime < 0.5 && none.after === undefined, `${none.before.dPrime}`);
});

test("what is refused", async () => {
  const noise = { frequencies, radial: curve(() => 0) };
  await assertRejects(() => taskSnr(sharp, noise, { diameterMm: 5, contrast: 1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => taskSnr(sharp, noise, { diameterMm: 0, contrast: 1 }), "ERR_SINO_OUT_OF_RANGE");
  const images = white(40, 16, 16);
  await assertRejects(() => lesionDetection(images, { diameter: -1, contrast: 1 }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(
    () => lesionDetection(images, { diameter: 3, contrast: 1, centre: [16, 3] }),
    "ERR_SINO_OUT_OF_RANGE",
  );
  const other = async () => volume(new Float32Array(4), [1, 2, 2]);
  await assertRejects(() => lesionDetection(images, { diameter: 3, contrast: 1, restore: other }), "ERR_SINO_SHAPE");
  await assertRejects(() => lesionDetection(white(6, 16, 16), { diameter: 3, contrast: 1 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
