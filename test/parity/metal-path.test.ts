/** Metal paths and trace against the reference, line by line. */
import * as assert from "uvu/assert";
import { metalPaths } from "../../lib/physics/index.ts";
import { metalPathOracle } from "../oracle/polychromatic.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("metal path parity");

test("metal paths and trace, with and without the quarter at edges, at the detector's ends too", async () => {
  const lines = [
    [0, 0, 1, 2, 3, 2, 0, 0, 1, 0],
    [4, 4, 4, 0, 0, 0, 0, 0, 5, 5],
    [0, 1, 1, 0, 0, 0, 0, 2, 2, 2],
    [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ];
  for (const edge of ["none", "div4"] as const) {
    const { paths, trace } = await metalPaths(
      { data: Float32Array.from(lines.flat()), shape: [5, 10] },
      { attenuation: 0.25, edge },
    );
    const expected = lines.map((line) => metalPathOracle(line, 0.25, edge === "div4"));
    assert.equal(
      Array.from(paths.data),
      expected.flatMap((line) => line.paths),
    );
    assert.equal(
      Array.from(trace.data),
      expected.flatMap((line) => line.trace),
    );
  }
});

test.run();
