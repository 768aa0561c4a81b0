/** The parts of a training step: optimiser, rates, losses, order of the samples. */
import assert from "node:assert/strict";
import { volume } from "../../lib/core/arrays.ts";
import { ssim } from "../../lib/metrics/metrics.ts";
import { openSession } from "../../lib/models/session.ts";
import { parseTraining } from "../../lib/training/config.ts";
import { bceLoss, diceLoss, l1, l2, ssimLoss } from "../../lib/training/losses.ts";
import { adamStep, averaged, corrections } from "../../lib/training/optimizer.ts";
import { copyCrop, Shuffle } from "../../lib/training/samples.ts";
import { rateFactor } from "../../lib/training/schedule.ts";
import { lengthOf } from "../../lib/training/state.ts";
import { stepGraph } from "../../lib/training/step-graph.ts";
import { poseMatrix, seenAround, warped, widened } from "../../lib/training/warp.ts";
import { assertClose } from "../support/assert-close.ts";
import { hasOnnxRuntime, noOnnxRuntime, runOnce } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("training");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const near = (a: number, b: number, tolerance: number) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);

withRuntime("AdamW with clipping and decay is what the papers say", async () => {
  const options = { kind: "adamw", beta1: 0.8, beta2: 0.9, epsilon: 1e-3, decay: 0.1, clip: 0.5 } as const;
  const [w, m, d] = [randomFloats(5, 1), randomFloats(5, 2), randomFloats(5, 4)];
  const v = randomFloats(5, 3).map(Math.abs);
  const vector = (data: Float32Array) => ({ data, shape: [5] });
  const scalar = (x: number) => ({ data: Float32Array.of(x), shape: [] });
  const [c1, c2] = corrections(3, options);
  const feeds = { w: vector(w), m: vector(m), v: vector(v), d: vector(d) };
  const got = await runOnce({ ...feeds, rate: scalar(0.1), c1: scalar(c1), c2: scalar(c2) }, (t) => {
    const rates = { rate: t["rate"]!, correction1: t["c1"]!, correction2: t["c2"]! };
    const next = adamStep({ parameters: t["w"]!, first: t["m"]!, second: t["v"]! }, t["d"]!, rates, options);
    return { w2: next.parameters, norm: next.norm, mean: averaged(t["w"]!, next.parameters, t["rate"]!) };
  });
  const norm = Math.hypot(...d);
  near(Number(got["norm"]!.data[0]), norm, 1e-6);
  for (let i = 0; i < 5; i++) {
    const slope = d[i]! * Math.min(1, 0.5 / (norm + 1e-6));
    const first = (0.8 * m[i]! + 0.2 * slope) / (1 - 0.8 ** 3);
    const second = (0.9 * v[i]! + 0.1 * slope ** 2) / (1 - 0.9 ** 3);
    const expected = w[i]! * (1 - 0.1 * 0.1) - (0.1 * first) / (Math.sqrt(second) + 1e-3);
    near(Number(got["w2"]!.data[i]), expected, 1e-6);
    near(Number(got["mean"]!.data[i]), expected + 0.1 * (w[i]! - expected), 1e-6);
  }
});

test("rates warm up, anneal and restart", () => {
  const cosine = { kind: "cosine-restarts", warmup: 4, cycle: 10, growth: 2, floor: 0.1 } as const;
  assert.deepEqual(
    [0, 1, 3].map((step) => rateFactor(step, 100, cosine)),
    [0.25, 0.5, 1],
  );
  near(rateFactor(4, 100, cosine), 1, 1e-12);
  near(rateFactor(9, 100, cosine), 0.55, 1e-12);
  near(rateFactor(14, 100, cosine), 1, 1e-12); // the second cycle, twenty long
  near(rateFactor(24, 100, cosine), 0.55, 1e-12);
  near(rateFactor(100, 100, { kind: "cosine" }), 0, 1e-12);
  assert.equal(rateFactor(7, 100), 1);
});

withRuntime("losses: mean absolute, mean square, and 1 − SSIM as the metric has it", async () => {
  const [a, b] = [randomFloats(2 * 15 * 17, 1), randomFloats(2 * 15 * 17, 2)];
  const shape = [2, 1, 15, 17];
  const got = await runOnce({ a: { data: a, shape }, b: { data: b, shape } }, (t) => ({
    one: l1(t["a"]!, t["b"]!),
    two: l2(t["a"]!, t["b"]!),
    three: ssimLoss(t["a"]!, t["b"]!, { range: 2 }),
  }));
  const half = a.length / 2;
  const difference = a.map((v, i) => v - b[i]!).subarray(half);
  near(Number(got["one"]!.data[1]), difference.reduce((s, v) => s + Math.abs(v), 0) / half, 1e-6);
  near(Number(got["two"]!.data[1]), difference.reduce((s, v) => s + v * v, 0) / half, 1e-6);
  const metric = await ssim(volume(a, [2, 15, 17]), volume(b, [2, 15, 17]), { range: 2 });
  near(Number(got["three"]!.data[1]), 1 - metric[1]!, 1e-5);
});

withRuntime(
  "losses of masks: cross-entropy and soft Dice of logits, also of empty masks and of sure answers",
  async () => {
    const logits = randomFloats(2 * 30, 1).map((v) => 4 * v);
    const mask = Float32Array.from(randomFloats(2 * 30, 2), (v, i) => (i < 30 && v > 0 ? 1 : 0));
    const shape = [2, 1, 5, 6];
    const sure = { data: Float32Array.of(200, -200), shape: [1, 1, 1, 2] };
    const truth = { data: Float32Array.of(1, 0), shape: [1, 1, 1, 2] };
    const got = await runOnce({ y: { data: logits, shape }, t: { data: mask, shape }, sure, truth }, (t) => ({
      bce: bceLoss(t["y"]!, t["t"]!),
      dice: diceLoss(t["y"]!, t["t"]!),
      bceSure: bceLoss(t["sure"]!, t["truth"]!),
      diceSure: diceLoss(t["sure"]!, t["truth"]!),
    }));
    for (const n of [0, 1]) {
      const p = logits.subarray(30 * n, 30 * n + 30).map((v) => 1 / (1 + Math.exp(-v)));
      const t = mask.subarray(30 * n, 30 * n + 30);
      const total = (value: (i: number) => number) => p.reduce((sum, _, i) => sum + value(i), 0);
      near(Number(got["bce"]!.data[n]), total((i) => -Math.log(t[i]! ? p[i]! : 1 - p[i]!)) / 30, 1e-5);
      const both = total((i) => p[i]! * t[i]!);
      near(Number(got["dice"]!.data[n]), 1 - (2 * both + 1) / (total((i) => p[i]!) + total((i) => t[i]!) + 1), 1e-5);
    }
    near(Number(got["bceSure"]!.data[0]), 0, 1e-6);
    near(Number(got["diceSure"]!.data[0]), 0, 1e-6);
  },
);

test("segmentation has masks as targets and losses of masks, and others have not", () => {
  const network = { kind: "unet", inChannels: 1, outChannels: 1, channels: [4] };
  const residual = { ...network, residual: true };
  const dncnn = { kind: "dncnn", inChannels: 1 };
  const run = { network, data: { input: "a.npy", target: "b.npy" }, steps: 1, batch: 1 };
  const task = "segmentation";
  parseTraining({ ...run, task, loss: { bce: 1, dice: 0.5 } });
  for (const [json, words] of [
    [{ ...run, task, loss: { bce: 1, l1: 1 } }, /expected the losses bce and dice but received l1/],
    [{ ...run, loss: { dice: 1 } }, /the loss dice is of masks: it needs the task segmentation/],
    [{ ...run, task, data: { input: "a.npy" } }, /expected data\.target/],
    [{ ...run, task, network: residual }, /expected an n2n-unet, or a unet without "time" and "residual"/],
    [{ ...run, task, network: dncnn }, /expected an n2n-unet, or a unet/],
    [{ ...run, task: "segment" }, /task/],
  ] as const)
    assert.throws(
      () => parseTraining(json),
      (error: { code?: string; message: string }) => {
        assert.equal(error.code, "ERR_SINO_IO_FORMAT");
        assert.match(error.message, words);
        return true;
      },
    );
});

test("each epoch has every sample once, in an order of its own, the same again from any step", () => {
  const shuffle = new Shuffle(7, 3);
  const epochs = [0, 1, 2].map((e) => [...Array(7).keys()].map((i) => shuffle.at(7 * e + i)));
  for (const order of epochs) assert.deepEqual(order.toSorted(), [0, 1, 2, 3, 4, 5, 6]);
  assert.notDeepEqual(epochs[0], epochs[1]);
  assert.equal(new Shuffle(7, 3).at(9), epochs[1]![2]);
});

test("a crop takes all channels, mirrored where asked", () => {
  const data = Float32Array.from({ length: 2 * 2 * 3 * 4 }, (_, i) => i);
  const samples = { count: 2, channels: 2, size: [3, 4], data };
  const to = new Float32Array(9).fill(-1);
  copyCrop(samples, 1, [2, 2], { first: [1, 2], flips: [true, false] }, to, 1);
  // sample 1, channel 0 begins at 24; rows 2 and 1, columns 2 and 3
  assert.deepEqual([...to], [-1, 34, 35, 30, 31, 46, 47, 42, 43]);
  copyCrop(samples, 0, [1, 4], { first: [0, 0], flips: [false, true] }, to, 0);
  assert.deepEqual([...to.subarray(0, 4)], [3, 2, 1, 0]);
});

withRuntime("a turned and enlarged crop shows what lies there, masks their own values only", async () => {
  // a plane is what linear interpolation gives exactly: 3 · row − 2 · column, between the centres of its pixels
  const [size, patch, times] = [[24, 30], [5, 8], 2];
  const seen = seenAround(patch, size, { rotate: 40, zoom: [0.8, 2] });
  assert.deepEqual(seen, [14, 14]);
  const { crop, middle } = widened({ first: [6, 9], flips: [false, true] }, patch, seen, size);
  assert.deepEqual(
    [crop.first, middle],
    [
      [2, 6],
      [6.5, 7],
    ],
  );
  const [radians, zoom] = [0.6, 0.9];
  const plane = (scale: number) =>
    Float32Array.from({ length: (14 * scale) ** 2 }, (_, i) => {
      const [r, c] = [Math.floor(i / (14 * scale)), i % (14 * scale)].map((k) => (k + 0.5) / scale) as [number, number];
      return 3 * r - 2 * c;
    });
  const pose = { data: Float32Array.from(poseMatrix({ middle, radians, zoom }, seen)), shape: [1, 3, 2] };
  const feeds = {
    x: { data: plane(1), shape: [1, 1, 14, 14] },
    large: { data: plane(times), shape: [1, 1, 28, 28] },
    mask: { data: plane(1).map((v) => (v > 3 ? 7 : 0)), shape: [1, 1, 14, 14] },
    pose,
  };
  const got = await runOnce(feeds, (t) => ({
    y: warped(t["x"]!, t["pose"]!, patch, 1),
    yLarge: warped(t["large"]!, t["pose"]!, patch, times),
    yMask: warped(t["mask"]!, t["pose"]!, patch, 1, true),
  }));
  const expected = (k: number) =>
    Float32Array.from({ length: 40 * k * k }, (_, i) => {
      const u = ((i % (8 * k)) + 0.5) / k - 4;
      const v = (Math.floor(i / (8 * k)) + 0.5) / k - 2.5;
      const row = 6.5 + (Math.sin(radians) * u + Math.cos(radians) * v) / zoom;
      const column = 7 + (Math.cos(radians) * u - Math.sin(radians) * v) / zoom;
      return 3 * row - 2 * column;
    });
  // positions of up to 14 pixels in float32
  assertClose(got["y"]!.data as Float32Array, expected(1), { atol: 1e-4 });
  assertClose(got["yLarge"]!.data as Float32Array, expected(2), { atol: 1e-4 });
  assert.deepEqual([...new Set(got["yMask"]!.data as Float32Array)].sort(), [0, 7]);
});

withRuntime("a step may write its state over the one it read: same bits", async () => {
  const network = { kind: "dncnn", inChannels: 1, channels: 8, depth: 4 } as const;
  const size = { batch: 2, size: [12, 12] };
  for (const kind of ["adam", "adamw"] as const) {
    const optimizer = { kind, decay: 0.1, clip: 0.5 };
    const graph = stepGraph({ network, size, loss: { l2: 1 }, optimizer, average: true });
    const session = await openSession(graph.model, { threads: 2 });
    const n = lengthOf(graph.parameters);
    const parts = { parameters: n, first: n, second: n, average: n, buffers: lengthOf(graph.buffers) };
    const values = (data: Float32Array, shape: readonly number[] = [data.length]) => ({ data, shape });
    const scalar = (x: number) => values(Float32Array.of(x), []);
    const images = (seed: number) => values(randomFloats(288, seed), [2, 1, 12, 12]);
    const numbers = { rate: scalar(0.01), correction1: scalar(0.1), correction2: scalar(0.001), keep: scalar(0.5) };
    const feeds = { ...numbers, input: images(1), target: images(2), weight: values(Float32Array.of(1, 1)) };
    const make = () =>
      Object.entries(parts).map(([name, length]) => [name, randomFloats(length, 3).map(Math.abs)] as const);
    const step = async (now: ReturnType<typeof make>, next: ReturnType<typeof make>) => {
      const into = Object.fromEntries(next.map(([name, data]) => [`next_${name}`, values(data)]));
      await session.run({ ...feeds, ...Object.fromEntries(now.map(([name, data]) => [name, values(data)])) }, into);
    };
    const [one, two, same] = [make(), make(), make()];
    await step(one, two);
    await step(two, one);
    await step(same, same);
    await step(same, same);
    assert.deepEqual(same, one);
    await session.close();
  }
});

test.run();
