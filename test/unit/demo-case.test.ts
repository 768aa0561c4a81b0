/** The shipped demo case is what its script makes, and shows what it is for: strong streaks. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readNpy } from "../../lib/data/npy.ts";
import { evaluate } from "../../lib/metrics/index.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { demoGeometry, demoSize, truthOf } from "../../scripts/make-demo-case.ts";
import { drawPelvis } from "../../scripts/pelvis-phantom.ts";
import { assertClose } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("demo case");
const folder = join(import.meta.dirname, "../../examples/demo");
const shipped = async (name: string) => (await readNpy(join(folder, name))).array;

test("truth and mask are drawn again, pixel by pixel", async () => {
  const { truth, mask } = truthOf(drawPelvis(demoSize, 4));
  // sin, cos and hypot may differ in the last bit between JavaScript engines, which moves a sample across an outline at most
  const tolerance = { atol: 1e-7 };
  assertClose(truth.data, (await shipped("truth.npy")).data, tolerance);
  assertClose(mask.data, (await shipped("metal-mask.npy")).data, tolerance);
});

test("geometry and sinogram belong together and are small", async () => {
  const geometry = await readGeometry(join(folder, "geometry.json"));
  assert.equal(geometry, demoGeometry());
  assert.equal((await shipped("sinogram.npy")).shape, [geometry.angles.length, geometry.bins]);
  const files = ["sinogram.npy", "truth.npy", "metal-mask.npy", "geometry.json", "README.md"];
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folder, name))).size));
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 6e6);
});

test("uncorrected, the reconstruction is full of streaks and still recognisable", async () => {
  const geometry = await readGeometry(join(folder, "geometry.json"));
  const image = await fbp(await shipped("sinogram.npy"), geometry);
  const { rmseHu } = await evaluate(image, await shipped("truth.npy"), { mask: await shipped("metal-mask.npy") });
  assert.ok(rmseHu > 150 && rmseHu < 350, `${rmseHu} HU`);
});

test.run();
