/** Bins from a tenth of a pixel to three pixels, with edges of the detector inside the image and outside: every operator of every beam. */
import { volume } from "../../lib/core/arrays.ts";
import { backproject } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { backprojectDirect } from "../oracle/fbp.ts";
import { josephProject, josephTranspose } from "../oracle/joseph.ts";
import { assertClose } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("spacings parity");
const slices = 2;

/** `pixels` apart on the axis, and so many that they see `share` of the image. */
function scans(pixels: number, share: number, shape: [number, number]): Record<string, Geometry> {
  const image = { shape, pixelMm: 0.9 };
  const bins = Math.ceil((share * Math.hypot(...shape)) / pixels);
  const common = { bins, offsetBins: 2.25, image };
  const angles = fullScan(7, { start: 11 });
  return {
    parallel: parallelBeam({ ...common, binMm: 0.9 * pixels, angles: { start: 3, span: 180, count: 7 } }),
    flat: fanBeam({ ...common, detector: "flat", sod: 60, sdd: 120, binMm: 1.8 * pixels, angles }),
    arc: fanBeam({ ...common, detector: "arc", sod: 70, sdd: 140, binMm: -1.8 * pixels, angles }),
  };
}

type Operator = (input: ReturnType<typeof volume>, geometry: Geometry) => Promise<{ data: Float32Array }>;

async function compare(
  what: string,
  run: Operator,
  reference: (input: Float32Array, geometry: Geometry) => Float64Array,
  geometry: Geometry,
  fromImages: boolean,
) {
  const [rows, columns] = fromImages ? geometry.image.shape : [geometry.angles.length, geometry.bins];
  const size = rows * columns;
  const input = randomFloats(slices * size, 3);
  const references = Array.from({ length: slices }, (_, s) =>
    reference(input.subarray(s * size, (s + 1) * size), geometry),
  );
  for (const count of [1, slices]) {
    const shape = count === 1 ? [rows, columns] : [count, rows, columns];
    const { data } = await run(volume(input.subarray(0, count * size), shape), geometry);
    for (let s = 0; s < count; s++) {
      const expected = references[s]!;
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      // a place errs by 1.2e-7 of the bins under a tile, 24 / spacing, and white noise changes by 2 from bin to bin
      const atol = (fromImages ? 4e-6 : 2e-5) * largest;
      const result = data.subarray(s * expected.length, (s + 1) * expected.length);
      assertClose(result, expected, { atol }, `${what}, slice ${s} of ${count}`);
    }
  }
}

for (const pixels of [0.1, 0.2, 0.37, 0.5, 0.66, 0.8, 1, 1.5, 3])
  test(`bins of ${pixels} pixels`, async () => {
    for (const share of [0.3, 1.2])
      for (const shape of [
        [23, 31],
        [5, 39],
      ] as [number, number][])
        for (const [beam, geometry] of Object.entries(scans(pixels, share, shape))) {
          const what = `${beam}, ${geometry.bins} bins, ${shape.join(" × ")}`;
          await compare(`${what}, projection`, project, josephProject, geometry, true);
          await compare(`${what}, transpose`, projectTranspose, josephTranspose, geometry, false);
          await compare(`${what}, back-projection`, backproject, backprojectDirect, geometry, false);
        }
  });

test.run();
