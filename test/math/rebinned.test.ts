/** The accuracy stated for route "rebinned", against closed forms at the size it is stated for. */
import * as assert from "uvu/assert";
import { accuracy, fanArcShort, fanFlatA } from "../../bench/ops/accuracy.bench.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("rebinned FBP at 512");

// measured 103.5 and 113.4 dB, 0.01402
for (const [name, geometry, psnr] of [
  ["flat fan", fanFlatA, 100],
  ["arc fan, Parker", fanArcShort, 110],
] as const)
  test(`${name}, smooth phantom`, async () => {
    const { fbpPsnr } = await accuracy(geometry, "smooth", "rebinned");
    assert.ok(fbpPsnr >= psnr, `FBP PSNR ${fbpPsnr}`);
  });

test("flat fan, Shepp-Logan", async () => {
  const { fbpRmse } = await accuracy(fanFlatA, "shepp-logan", "rebinned");
  assert.ok(fbpRmse <= 0.0145, `FBP RMSE ${fbpRmse}`);
});

test.run();
