/** The accuracy that README and docs state, at the size they state it for. bench/ops/accuracy.bench.ts prints the same figures. */
import * as assert from "uvu/assert";
import { accuracy, fanArc, fanArcShort, fanFlatA, parallelOf } from "../../bench/ops/accuracy.bench.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("accuracy at 512");

test("parallel, smooth phantom", async () => {
  const { projection, fbpPsnr } = await accuracy(parallelOf(512), "smooth");
  assert.ok(projection <= 1.7e-4, `projection error ${projection}`);
  assert.ok(fbpPsnr >= 83.5, `FBP PSNR ${fbpPsnr}`);
});

test("parallel, Shepp-Logan", async () => {
  const { projection, fbpRmse } = await accuracy(parallelOf(512), "shepp-logan");
  assert.ok(projection <= 0.0069, `projection error ${projection}`);
  assert.ok(fbpRmse <= 0.0152, `FBP RMSE ${fbpRmse}`);
});

for (const [name, geometry] of Object.entries({
  "flat fan": fanFlatA,
  "arc fan": fanArc,
  "arc fan, Parker": fanArcShort,
}))
  test(`${name}, smooth phantom`, async () => {
    const { projection, fbpPsnr } = await accuracy(geometry, "smooth");
    assert.ok(projection <= 1.7e-4, `projection error ${projection}`);
    assert.ok(fbpPsnr >= 90, `FBP PSNR ${fbpPsnr}`);
  });

test.run();
