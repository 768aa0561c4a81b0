/** ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ at sizes where float32 sums are long, for every beam. */
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import { smallGeometries } from "../support/geometries.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("adjoint");
const limit = 1e-6;

const large: Record<string, Geometry> = {
  "parallel 256": parallelBeam({
    bins: 367,
    binMm: 1,
    offsetBins: 0.25,
    angles: { span: 180, count: 181 },
    image: { shape: [256, 200], pixelMm: [1, 1.2] },
  }),
  "flat fan 256": fanBeam({
    detector: "flat",
    sod: 400,
    sdd: 800,
    bins: 411,
    binMm: 1.7,
    angles: fullScan(180, { cellCentred: true }),
    image: { shape: [256, 256], pixelMm: 1 },
  }),
  "arc fan 256": fanBeam({
    detector: "arc",
    sod: 550,
    sdd: 950,
    bins: 450,
    binMm: 1.5,
    offsetBins: -1.25,
    angles: fullScan(200),
    image: { shape: [256, 256], pixelMm: 1.5 },
  }),
};

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

for (const [name, geometry] of Object.entries({ ...smallGeometries, ...large })) {
  test(name, async () => {
    const next = randomSource(11);
    // positive numbers: both products are then far from zero and "relative" means something
    const x = Float32Array.from({ length: geometry.image.shape[0] * geometry.image.shape[1] }, next);
    const y = Float32Array.from({ length: geometry.angles.length * geometry.bins }, next);
    const ax = await project(volume(x, geometry.image.shape), geometry);
    const aty = await projectTranspose(volume(y, [geometry.angles.length, geometry.bins]), geometry);
    const left = dot(ax.data, y);
    const right = dot(x, aty.data);
    assert.ok(
      Math.abs(left - right) <= limit * Math.abs(left),
      `${left} against ${right}: ${Math.abs(left / right - 1)}`,
    );
  });
}

test.run();
