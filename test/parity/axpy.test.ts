/** Sums of slices with factors of their own, against the same in double. */
import { runJob } from "../../lib/native/job.ts";
import { assertClose } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("axpy parity");

for (const [slices, length] of [
  [1, 1],
  [3, 517],
  [2, 70001],
] as const)
  for (const has of ["x", "y", "xy", "xyw", "yw", ""])
    test(`${slices}×${length}: ${has || "nothing"}`, async () => {
      const x = randomFloats(slices * length, 1);
      const y = randomFloats(slices * length, 2);
      const weights = randomFloats(length, 3);
      const a = Float64Array.from({ length: slices }, (_, s) => 0.3 + s);
      const b = Float64Array.of(-0.7);
      const output = new Float32Array(slices * length);
      const squares = new Float64Array(slices);
      await runJob("axpy", {
        slices,
        length,
        a,
        b,
        ...(has.includes("x") ? { x } : {}),
        ...(has.includes("y") ? { y } : {}),
        ...(has.includes("w") ? { weights } : {}),
        low: -0.5,
        high: 0.9,
        output,
        squares,
      });
      const expected = Float64Array.from(output, (_, i) => {
        const left = has.includes("x") ? a[Math.floor(i / length)]! * x[i]! : 0;
        const right = has.includes("y") ? b[0]! * y[i]! * (has.includes("w") ? weights[i % length]! : 1) : 0;
        return Math.min(0.9, Math.max(-0.5, left + right));
      });
      assertClose(output, expected, { atol: 1e-6 }); // float32, terms up to 3
      const sums = Float64Array.from(squares, (_, s) =>
        output.subarray(s * length, (s + 1) * length).reduce((sum, v) => sum + v * v, 0),
      );
      assertClose(squares, sums, { rtol: 1e-12 });
    });

test.run();
