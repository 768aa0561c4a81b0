/** Graphs: shapes are checked when built, the model is what was asked for. */
import assert from "node:assert/strict";
import * as g from "../../lib/graph/index.ts";
import { hasOnnxRuntime, noOnnxRuntime, runOnce } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("graph");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

function refused(build: (graph: g.Graph) => unknown, code: string, words: RegExp): void {
  assert.throws(
    () => build(new g.Graph()),
    (error: Error & { code: string }) => {
      assert.equal(error.code, code);
      assert.match(error.message, words);
      return true;
    },
  );
}

test("names operation and shapes where operands do not fit", () => {
  const wrong: [(graph: g.Graph) => unknown, RegExp][] = [
    [(x) => g.add(x.input("a", [2, 3]), x.input("b", [4])), /Add expected .* float32 \[2, 3\], float32 \[4\]/],
    [(x) => g.matmul(x.input("a", [2, 3]), x.input("b", [2, 3])), /MatMul expected/],
    [(x) => g.conv(x.input("a", [1, 2, 8, 8]), x.input("b", [4, 3, 3, 3])), /Conv expected x \[N, C, …\]/],
    [(x) => g.conv(x.input("a", [1, 3, 2, 2]), x.input("b", [4, 3, 3, 3])), /no larger than x/],
    [(x) => g.reshape(x.input("a", [2, 3]), [4, 2]), /Reshape expected 8 values/],
    [
      (x) => g.concat([x.input("a", [2, 3]), x.input("b", [3, 3])], 1),
      /Concat expected shapes that differ along axis 1/,
    ],
    [(x) => g.reduceSum(x.input("a", [2]), [1]), /ReduceSum expected axes/],
    [(x) => g.split(x.input("a", [5]), [2, 2], 0), /Split expected/],
    [(x) => g.gradients(x.input("a", [2]), []), /one value/],
    [(x) => x.constant([1, 2, 3], [2]), /needs 2 values but received 3/],
    [(x) => x.input("a", [1.5]), /non-negative integers/],
  ];
  for (const [build, sentence] of wrong) refused(build, "ERR_SINO_SHAPE", sentence);
});

test("refuses tensors of another graph, names used twice and operations without a gradient", () => {
  refused((x) => g.add(x.input("a", []), new g.Graph("other").input("b", [])), "ERR_SINO_OUT_OF_RANGE", /graph other/);
  refused((x) => [x.input("a", []), x.input("a", [])], "ERR_SINO_OUT_OF_RANGE", /already has/);
  refused(
    (x) => {
      const a = x.input("a", [3]);
      return g.gradients(g.reduceMax(a), [a]);
    },
    "ERR_SINO_UNSUPPORTED",
    /ReduceMax .* has no gradient/,
  );
});

withRuntime("a gradient that the loss does not depend on is zero; one over two paths is their sum", async () => {
  const data = Float32Array.of(1, 2, 3);
  const { da, db } = await runOnce({ a: { data, shape: [3] }, b: { data, shape: [3] } }, ({ a, b }) => {
    const [da, db] = g.gradients(g.reduceSum(g.add(g.mul(a!, 3), g.mul(a!, a!))), [a!, b!]);
    return { da: da!, db: db! };
  });
  assert.deepEqual([...da!.data], [5, 7, 9]);
  assert.deepEqual([...db!.data], [0, 0, 0]);
});

withRuntime("gradients have gradients", async () => {
  const { second } = await runOnce({ x: { data: Float32Array.of(0.5, -1), shape: [2] } }, ({ x }) => {
    const [first] = g.gradients(g.reduceSum(g.mul(x!, g.mul(x!, x!))), [x!]);
    return { second: g.gradients(g.reduceSum(first!), [x!])[0]! };
  });
  assert.deepEqual([...second!.data], [3, -6]);
});

test.run();
