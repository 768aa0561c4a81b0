/** Weighted back-projection of arbitrary views against one pixel and view at a time in double. */
import { volume } from "../../lib/core/arrays.ts";
import { backproject } from "../../lib/tomography/fbp.ts";
import { backprojectDirect } from "../oracle/fbp.ts";
import { assertClose } from "../support/assert-close.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("backproject parity");

for (const [name, geometry] of Object.entries(smallGeometries))
  for (const slices of [1, 2, 9, 16])
    test(`${name}, ${slices} slices`, async () => {
      const rays = geometry.angles.length * geometry.bins;
      const pixels = geometry.image.shape[0] * geometry.image.shape[1];
      const views = randomFloats(slices * rays, 5);
      const images = await backproject(volume(views, [slices, geometry.angles.length, geometry.bins]), geometry);
      for (let s = 0; s < slices; s++) {
        const expected = backprojectDirect(views.subarray(s * rays, (s + 1) * rays), geometry);
        const largest = expected.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        // positions err by 1e-7 of the 24 to 50 bins of a tile, and neighbouring bins of white noise differ by the largest value
        assertClose(
          images.data.subarray(s * pixels, (s + 1) * pixels),
          expected,
          { atol: 6e-6 * largest },
          `slice ${s}`,
        );
      }
    });

test.run();
