/** Projection and transpose against the double-precision reference, for every beam, odd size and batch width. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { addon } from "../../lib/native/addon.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { josephProject, josephTranspose } from "../oracle/joseph.ts";
import { assertClose } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("joseph parity");
const guard = 64;

// float32 fractions and sums: 40 terms of size 1 with 6e-8 each, and rays up to 60 mm
const tolerance = { atol: 2e-5, rtol: 2e-6 };

for (const [name, geometry] of Object.entries(smallGeometries)) {
  const pixels = geometry.image.shape[0] * geometry.image.shape[1];
  const rays = geometry.angles.length * geometry.bins;
  for (const slices of [1, 3, 4, 13, 21]) {
    test(`${name}, ${slices} slices: projection`, async () => {
      const images = randomFloats(slices * pixels, 1);
      const memory = new Float32Array(slices * rays + 2 * guard).fill(-77);
      const out = volume(memory.subarray(guard, guard + slices * rays), [
        slices,
        geometry.angles.length,
        geometry.bins,
      ]);
      await project(volume(images, [slices, ...geometry.image.shape]), geometry, { out });
      for (let s = 0; s < slices; s++)
        assertClose(
          out.data.subarray(s * rays, (s + 1) * rays),
          josephProject(images.subarray(s * pixels, (s + 1) * pixels), geometry),
          tolerance,
          `slice ${s}`,
        );
      assert.ok(memory.subarray(0, guard).every((x) => x === -77) && memory.subarray(-guard).every((x) => x === -77));
    });
    test(`${name}, ${slices} slices: transpose`, async () => {
      const sinograms = randomFloats(slices * rays, 2);
      const memory = new Float32Array(slices * pixels + 2 * guard).fill(-77);
      const out = volume(memory.subarray(guard, guard + slices * pixels), [slices, ...geometry.image.shape]);
      await projectTranspose(volume(sinograms, [slices, geometry.angles.length, geometry.bins]), geometry, { out });
      for (let s = 0; s < slices; s++)
        assertClose(
          out.data.subarray(s * pixels, (s + 1) * pixels),
          josephTranspose(sinograms.subarray(s * rays, (s + 1) * rays), geometry),
          tolerance,
          `slice ${s}`,
        );
      assert.ok(memory.subarray(0, guard).every((x) => x === -77) && memory.subarray(-guard).every((x) => x === -77));
    });
  }
}

test("strided, integer and shared inputs give what contiguous float32 gives", async () => {
  const geometry = smallGeometries["parallel, offset, non-square"]!;
  const [rows, columns] = geometry.image.shape;
  const plain = Float32Array.from({ length: rows * columns }, (_, i) => (i * 37) % 101);
  const expected = await project(volume(plain, [rows, columns]), geometry);
  const transposed = new Int16Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) transposed[c * rows + r] = plain[r * columns + c]!;
  const strided = await project({ data: transposed, shape: [rows, columns], stride: [1, rows] }, geometry);
  assertClose(strided.data, expected.data, {}, "strided int16");
  const shared = new Float32Array(new SharedArrayBuffer(4 * rows * columns));
  shared.set(plain);
  assertClose((await project(volume(shared, [rows, columns]), geometry)).data, expected.data, {}, "shared");
});

test("the instruction set asked for is the one in use", () => {
  const asked = process.env["SINOGRAM_SIMD"];
  if (asked) assert.is(addon().describe().simd, asked);
});

test.run();
