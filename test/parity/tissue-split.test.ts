/** The soft split into water and bone against the reference. */
import { splitTissue } from "../../lib/physics/index.ts";
import { tissueOracle } from "../oracle/polychromatic.ts";
import { assertClose } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("tissue split parity");

test("tissue is split between the thresholds, in HU and in attenuation", async () => {
  const hu = [-3000, -1000, -999, 0, 99, 100, 101, 500, 800, 1499, 1500, 1501, 4000];
  const expected = hu.map((value) => tissueOracle(value, 0.0192, 100, 1500));
  const fromHu = await splitTissue({ data: Float32Array.from(hu), shape: [hu.length] });
  const fromMu = await splitTissue(
    { data: Float32Array.from(expected, ({ mu }) => mu), shape: [hu.length] },
    { unit: "mu" },
  );
  for (const split of [fromHu, fromMu])
    for (const part of ["mu", "water", "bone"] as const)
      assertClose(
        split[part].data,
        expected.map((pixel) => pixel[part]),
        { atol: 1e-8, rtol: 1e-6 },
        part,
      );
});

test.run();
