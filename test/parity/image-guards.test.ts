/** No operation on images writes beside its outputs: each runs on the middle of larger arrays whose edges must stay as they were. */
import { type JobOptions, runJob } from "../../lib/native/job.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("image guards");
const guard = 64;
type Output = Float32Array | Float64Array | Uint8Array | Int32Array | Int16Array;

const [slices, rows, columns] = [3, 37, 29];
const count = slices * rows * columns;
const planes = { slices, rows, columns };
const next = randomSource(6);
const input = randomFloats(count, 1);
const mask = Uint8Array.from({ length: count }, () => (next() < 0.2 ? 0 : 1));
const scaling = { slopes: new Float64Array(slices).fill(2), intercepts: new Float64Array(slices) };
const spacing = Float64Array.of(1, 1, 1);
const uneven = Float64Array.of(3, 0.5, 0.7);
const float = (length = count) => new Float32Array(length + 2 * guard);
const byte = () => new Uint8Array(count + 2 * guard);
const int = (length = count) => new Int32Array(length + 2 * guard);

const cases: [operation: string, parameters: object, outputs: Record<string, Output>][] = [
  [
    "rescale",
    { stored: Int16Array.from(input, (v) => v * 9999), slices, pixels: rows * columns, bits: 16, ...scaling },
    { values: float() },
  ],
  [
    "store",
    { values: input, slices, pixels: rows * columns, bits: 12, ...scaling },
    { stored: new Int16Array(count + 2 * guard) },
  ],
  [
    "combine",
    { count, weights: Float64Array.of(1, 2), offset: 0, low: -1, high: 1, term0: input, term1: input },
    { output: float() },
  ],
  ["threshold", { count, input, level: 0, above: true }, { mask: byte() }],
  ["nonZero", { count, input }, { mask: byte() }],
  ["select", { count, mask, a: input, bValue: 3 }, { output: float() }],
  ["interpolate", { slices, views: rows, bins: columns, sinograms: input, trace: mask }, { output: float() }],
  ["distance", { ...planes, volume: false, spacing, mask }, { distances: float(), indices: int(2 * count) }],
  ["distance", { ...planes, volume: false, spacing: uneven, mask }, { distances: float(), indices: int(2 * count) }],
  ["distance", { ...planes, volume: true, spacing, mask }, { distances: float(), indices: int(3 * count) }],
  ["distance", { ...planes, volume: true, spacing: uneven, mask }, { distances: float(), indices: int(3 * count) }],
  ...["disk", "cross", "box"].map((shape): (typeof cases)[number] => [
    "morphology",
    { ...planes, shape, reach: 2, erode: false, mask },
    { result: byte() },
  ]),
  ["labelComponents", { ...planes, connectivity: 26, mask }, { labels: int() }],
  [
    "componentSizes",
    { pixels: count, labels: Int32Array.from(mask, (m, i) => m * (i % 9)), count: 5 },
    { sizes: int(5) },
  ],
  ["keepComponents", { ...planes, connectivity: 4, least: 3, mask }, { result: byte() }],
  ["fillHoles", { ...planes, connectivity: 4, mask }, { result: byte() }],
  ["gaussian", { ...planes, sigmaRow: 2, sigmaColumn: 1, radiusRow: 50, radiusColumn: 40, input }, { output: float() }],
  ...["nearest", "linear", "cubic", "area"].map((method): (typeof cases)[number] => [
    "resample",
    { ...planes, outRows: 11, outColumns: 71, method, input },
    { output: float(slices * 11 * 71) },
  ]),
  [
    "tissueThresholds",
    { slices, pixels: rows * columns, muWater: 0.2, images: input },
    { water: new Float64Array(slices + 2 * guard), bone: new Float64Array(slices + 2 * guard) },
  ],
  [
    "tissuePrior",
    {
      slices,
      pixels: rows * columns,
      muWater: 0.2,
      water: new Float64Array(slices),
      bone: new Float64Array(slices).fill(1),
      images: input,
    },
    { prior: float() },
  ],
];

for (const [k, [operation, parameters, outputs]] of cases.entries())
  test(`${k}: ${operation}`, async () => {
    const middles: Record<string, Output> = {};
    for (const [name, memory] of Object.entries(outputs))
      middles[name] = memory.fill(77).subarray(guard, memory.length - guard);
    await runJob(operation, { device: "auto", ...parameters, ...middles } as object, {} as JobOptions);
    for (const [name, memory] of Object.entries(outputs)) {
      const edges = [...memory.subarray(0, guard), ...memory.subarray(memory.length - guard)];
      if (!edges.every((x) => x === 77)) throw new Error(`${name} was written beyond its ends`);
      if (memory.subarray(guard, memory.length - guard).every((x) => x === 77))
        throw new Error(`${name} was not written`);
    }
  });

test.run();
