/** Covariances and mixtures of volumes against plain loops in double. */
import * as assert from "uvu/assert";
import { runJob } from "../../lib/native/job.ts";
import { randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("regression parity");

function scan(volumes: number, voxels: number) {
  const random = randomSource(volumes * 1000 + voxels);
  return {
    input: Float32Array.from({ length: volumes * voxels }, (_, i) => 100 * (i % 7) + 10 * random()),
    where: Uint8Array.from({ length: voxels }, () => (random() < 0.7 ? 1 : 0)),
  };
}

for (const [volumes, voxels] of [
  [1, 1],
  [2, 5],
  [7, 63],
  [8, 65],
  [17, 1000],
  [67, 3001],
] as const)
  for (const masked of [false, true])
    test(`covariance of ${volumes} volumes of ${voxels} voxels${masked ? ", masked" : ""}`, async () => {
      const { input, where } = scan(volumes, voxels);
      const chosen = Array.from({ length: voxels }, (_, v) => v).filter((v) => !masked || where[v]);
      const value = (i: number, v: number) => input[i * voxels + v]!;
      const mean = Array.from({ length: volumes }, (_, i) =>
        chosen.length ? chosen.reduce((sum, v) => sum + value(i, v), 0) / chosen.length : 0,
      );
      const means = new Float64Array(volumes);
      const covariance = new Float64Array(volumes * volumes);
      const parameters = { device: "auto", volumes, voxels, input, means, covariance, ...(masked && { where }) };
      await runJob("covariance", parameters);
      const largest = Math.max(1, ...covariance);
      for (let i = 0; i < volumes; i++) {
        assert.ok(Math.abs(means[i]! - mean[i]!) < 1e-12 * 1000);
        for (let j = 0; j < volumes; j++) {
          const sum = chosen.reduce((s, v) => s + (value(i, v) - mean[i]!) * (value(j, v) - mean[j]!), 0);
          const expected = chosen.length ? sum / chosen.length : 0;
          assert.ok(Math.abs(covariance[i * volumes + j]! - expected) < 1e-12 * largest, `${i}, ${j}`);
        }
      }
    });

for (const [volumes, outputs, voxels] of [
  [1, 1, 1],
  [3, 5, 7],
  [17, 4, 1001],
  [20, 9, 5000],
] as const)
  test(`${outputs} mixtures of ${volumes} volumes of ${voxels} voxels`, async () => {
    const { input } = scan(volumes, voxels);
    const random = randomSource(5);
    const matrix = Float64Array.from({ length: outputs * volumes }, () => random() - 0.5);
    const offsets = Float64Array.from({ length: outputs }, () => random());
    const output = new Float32Array(outputs * voxels);
    await runJob("mixVolumes", { device: "auto", volumes, outputs, voxels, input, matrix, offsets, output });
    for (let j = 0; j < outputs; j++)
      for (let v = 0; v < voxels; v++) {
        let sum = offsets[j]!;
        for (let i = 0; i < volumes; i++) sum += matrix[j * volumes + i]! * input[i * voxels + v]!;
        assert.ok(Math.abs(output[j * voxels + v]! - sum) <= 1e-6 * (1 + Math.abs(sum)), `${j}, ${v}`);
      }
  });

test("NaN spreads to its volume's covariances and its voxel's mixtures", async () => {
  const input = Float32Array.of(1, 2, Number.NaN, 4, 5, 6, 7, 8, 9);
  const means = new Float64Array(3);
  const covariance = new Float64Array(9);
  await runJob("covariance", { device: "auto", volumes: 3, voxels: 3, input, means, covariance });
  assert.equal([...covariance].map(Number.isNaN), [true, true, true, true, false, false, true, false, false]);
});

test.run();
