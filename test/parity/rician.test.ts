/** The signal behind a mean magnitude, against the mean summed up from the distribution itself. */
import * as assert from "uvu/assert";
import { removeRicianBias } from "../../lib/dwi/rician.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("rician parity");

/** E|a + n₁ + i·n₂|, by summing over both Gaussians. */
function meanMagnitude(a: number, sigma: number): number {
  const [reach, steps] = [8, 800];
  const h = (2 * reach) / steps;
  let sum = 0;
  let total = 0;
  for (let i = 0; i <= steps; i++)
    for (let j = 0; j <= steps; j++) {
      const [u, v] = [-reach + i * h, -reach + j * h];
      const weight = Math.exp(-(u * u + v * v) / 2);
      sum += weight * Math.hypot(a + sigma * u, sigma * v);
      total += weight;
    }
  return sum / total;
}

for (const sigma of [1, 20])
  test(`signals from 0 to 40 sigma, sigma ${sigma}`, async () => {
    const signals = [0.3, 0.7, 1, 1.5, 2, 3, 3.7, 3.9, 5, 8, 12, 40];
    const data = Float32Array.from(signals, (a) => meanMagnitude(a * sigma, sigma));
    const { data: found } = await removeRicianBias({ data, shape: [data.length] }, { sigma });
    for (const [i, a] of signals.entries())
      assert.ok(
        Math.abs(found[i]! / sigma - a) < 3e-6 * Math.max(1, 1 / a) * Math.max(1, a),
        `${a}: ${found[i]! / sigma}`,
      );
  });

test("what noise alone gives is no signal; without noise nothing changes", async () => {
  const data = Float32Array.of(0, 0.5, 1.25, 1.2534, 100, Number.NaN, -3);
  const { data: found } = await removeRicianBias({ data, shape: [7] }, { sigma: 1 });
  assert.equal([...found].slice(0, 3), [0, 0, 0]);
  assert.ok(found[3]! > 0 && found[3]! < 0.05 && Math.abs(found[4]! - 99.995) < 1e-3);
  assert.ok(Number.isNaN(found[5]!) && found[6] === 0);
  const same = await removeRicianBias({ data, shape: [7] }, { sigma: 0 });
  assert.equal([...same.data], [...data]);
});

test("wrong sigma", async () => {
  for (const sigma of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    await removeRicianBias({ data: new Float32Array(2), shape: [2] }, { sigma }).then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, "ERR_SINO_OUT_OF_RANGE"),
    );
});

test.run();
