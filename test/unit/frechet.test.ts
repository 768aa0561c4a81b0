/** Fréchet distance against its closed forms. */
import assert from "node:assert/strict";
import { volume } from "../../lib/core/arrays.ts";
import { frechetDistance } from "../../lib/metrics/frechet.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("frechet");
const set = (values: number[][]) => volume(Float32Array.from(values.flat()), [values.length, values[0]!.length]);
const close = (a: number, b: number) => assert.ok(Math.abs(a - b) <= 1e-5 * (1 + Math.abs(b)), `${a} and ${b}`);

test("a set is no distance from itself; a shift counts as its square", () => {
  const rows = Array.from({ length: 20 }, (_, i) => [...randomFloats(3, i)]);
  close(frechetDistance(set(rows), set(rows)), 0);
  close(frechetDistance(set(rows.map(([a, b, c]) => [a! + 3, b! - 4, c!])), set(rows)), 25);
});

test("one feature: difference of means and of deviations, squared", () => {
  const [a, b] = [
    [1, 2, 3, 4, 5],
    [10, 14, 18, 22, 26],
  ];
  const deviation = Math.sqrt(2.5);
  close(frechetDistance(set(a.map((v) => [v])), set(b.map((v) => [v]))), 15 ** 2 + (3 * deviation) ** 2);
});

test("independent features add up, also when both sets are turned together", () => {
  // corners of a box: no correlation between the axes
  const box = (x: number, y: number) => [-1, 1].flatMap((i) => [-1, 1].map((j) => [i * x, j * y]));
  const scale = 4 / 3; // variance of ±1 over n − 1
  const expected = scale * ((3 - 1) ** 2 + (5 - 2) ** 2);
  close(frechetDistance(set(box(3, 5)), set(box(1, 2))), expected);
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  const turn = (rows: number[][]) => rows.map(([p, q]) => [c * p! - s * q!, s * p! + c * q!]);
  close(frechetDistance(set(turn(box(3, 5))), set(turn(box(1, 2)))), expected);
});

test("too few images, and other features, are refused", () => {
  assert.throws(() => frechetDistance(set([[1, 2]]), set([[1, 2]])), { code: "ERR_SINO_SHAPE" });
  const two = set([[1], [2]]);
  assert.throws(
    () =>
      frechetDistance(
        two,
        set([
          [1, 2],
          [3, 4],
        ]),
      ),
    { code: "ERR_SINO_SHAPE" },
  );
});

test.run();
