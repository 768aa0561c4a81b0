/** Corrections of images that are taken only where they lower streaks: a body with metal, scanned with starved rays and without metal. */
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { correctImages } from "../../lib/mar/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan } from "../../lib/tomography/geometry.ts";
import { ellipses, phantomSinogram } from "../oracle/phantoms.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("image guard");
const [n, pixelMm, mu] = [160, 1.5, 0.0192];
const geometry = fanBeam({
  detector: "flat",
  sod: 500,
  sdd: 1000,
  bins: 361,
  binMm: 2,
  angles: fullScan(360, { cellCentred: true }),
  image: { shape: [n, n], pixelMm },
});
const at = (value: number, x: number, y: number, a: number, b = a) => ({ value, x, y, a, b, deg: 0 });
const body = [at(mu, 0, 0, 95, 70), at(-0.7 * mu, 45, 15, 18, 26), at(0.8 * mu, 0, -42, 12)];
const metal = [at(0.25, -40, 5, 7), at(0.25, 15, -10, 5)];

/** HU of the scan; no ray has more than `most`. */
async function imageOf(phantom: typeof body, most: number): Promise<Volume> {
  const sinogram = Float32Array.from(phantomSinogram(ellipses(phantom), geometry), (p) => Math.min(p, most));
  const { data } = await fbp(volume(sinogram, [360, 361]), geometry);
  return volume(
    data.map((value) => Math.max(-1000, 1000 * (value / mu - 1))),
    [n, n],
  );
}
const clean = await imageOf(body, Infinity);
const painted = volume(
  clean.data.map((hu, i) => {
    const [x, y] = [((i % n) - (n - 1) / 2) * pixelMm, ((n - 1) / 2 - Math.floor(i / n)) * pixelMm];
    return metal.some((disc) => Math.hypot(x - disc.x, y - disc.y) < disc.a) ? 8000 : hu;
  }),
  [n, n],
);
const options = { pixelMm, method: "nmar", guarded: true } as const;
const error = ({ data }: Volume, apart: Volume) =>
  Math.hypot(...data.map((hu, i) => (apart.data[i]! > 2000 || painted.data[i]! > 2000 ? 0 : hu - clean.data[i]!)));

test("streaks: the correction is taken, the error falls", async () => {
  const streaky = await imageOf([...body, ...metal], 5);
  const { hu, shares, changed } = await correctImages(streaky, options);
  assert.equal([shares, changed], [[1], [true]]);
  assert.ok(error(hu, streaky) < 0.8 * error(streaky, streaky), `${error(hu, streaky)} of ${error(streaky, streaky)}`);
  const { hu: unguarded } = await correctImages(streaky, { ...options, guarded: false });
  assert.equal(hu.data, unguarded.data);
});

test("metal without streaks: the image stays as it was, in a stack, too", async () => {
  const all = await correctImages(painted, { ...options, guarded: false });
  assert.ok(error(all.hu, painted) > 0);
  assert.equal(all.shares, [1]);
  const stack = volume(Float32Array.from([...clean.data, ...painted.data]), [2, n, n]);
  const { hu, shares, changed, metalPixels } = await correctImages(stack, options);
  assert.equal(
    [shares, changed],
    [
      [0, 0],
      [false, false],
    ],
  );
  assert.ok(metalPixels[1]! > 0);
  assert.equal(hu.data, stack.data);
});

test.run();
