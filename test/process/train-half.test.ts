/** Training in half precision: close to single precision, overflow skips steps, resumed to the bit, given up where nothing helps. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { writeArray } from "../../lib/data/array-files.ts";
import { readSafetensors, writeSafetensors } from "../../lib/data/safetensors.ts";
import {
  conv,
  Graph,
  gradients,
  importOnnx,
  reduceSum,
  relu,
  square,
  type Tensor,
  writeOnnx,
} from "../../lib/graph/index.ts";
import { openSession } from "../../lib/models/session.ts";
import { parseTraining, type TrainingEvent, train } from "../../lib/training/index.ts";
import { afterGood, afterOverflow, firstScaling, patienceOfScale } from "../../lib/training/scaling.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("train-half");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

const base = temporaryFolder();
const input = join(base, "noisy.npy");
await writeArray(input, volume(randomFloats(10 * 144, 1), [10, 12, 12]));

const configOf = (change: object = {}) =>
  parseTraining({
    network: { kind: "dncnn", inChannels: 1, depth: 4, channels: 4 },
    data: { input, validation: 0.2 },
    precision: "float16",
    optimizer: { rate: 0.005 },
    steps: 40,
    batch: 4,
    validateEvery: 20,
    threads: 1,
    ...change,
  });

async function run(name: string, change: object = {}, resume = false) {
  const folder = join(base, name);
  const events: TrainingEvent[] = [];
  const result = await train(configOf(change), { folder, resume, onEvent: (event) => events.push(event) });
  return { folder, events, result };
}

/** A convolution and its gradient. */
function convolved(half: boolean): Uint8Array {
  const graph = new Graph("half");
  const x = graph.input("x", [1, 2, 6, 6]);
  const w = graph.input("w", [3, 2, 3, 3]);
  const y = relu(conv(x, w));
  const [dw] = gradients(reduceSum(square(y), [0, 1, 2, 3]), [w]) as [Tensor];
  graph.output("y", y);
  graph.output("dw", dw);
  return writeOnnx(graph, { half });
}

withRuntime("products take and give float16, inputs and outputs of the model stay float32", async () => {
  const model = convolved(true);
  const graph = new Graph("read");
  const [x, w] = [graph.input("x", [1, 2, 6, 6]), graph.input("w", [3, 2, 3, 3])];
  const outputs = importOnnx(graph, model, { x, w });
  const products = graph.nodes.filter(({ type }) => /^Conv|MatMul|Gemm/.test(type));
  assert.ok(products.length >= 2);
  for (const { type, inputs, outputs: made } of products)
    assert.deepEqual(
      [...inputs, ...made].map((t) => t?.type).filter((t) => t !== "float16"),
      [],
      type,
    );
  const sums = graph.nodes.filter(({ type }) => type.startsWith("Reduce"));
  assert.ok(sums.length > 0 && sums.every(({ inputs }) => inputs[0]!.type === "float32"));
  assert.ok(Object.values(outputs).every(({ type }) => type === "float32"));
  const session = await openSession(model, { threads: 1 });
  const feeds = {
    x: { data: randomFloats(72, 1), shape: [1, 2, 6, 6] },
    w: { data: randomFloats(54, 2), shape: [3, 2, 3, 3] },
  };
  const { dw } = await session.run(feeds);
  await session.close();
  assert.ok(dw!.data instanceof Float32Array && dw!.data.every(Number.isFinite));
});

withRuntime("learns as in single precision; the same bits when resumed", async () => {
  const whole = await run("whole");
  const single = await run("single", { precision: "float32" });
  assert.equal(whole.result.skipped, 0);
  assert.ok(Math.abs(whole.result.loss / single.result.loss - 1) < 0.02, `${whole.result.loss}, ${single.result.loss}`);
  assert.notEqual(whole.result.loss, single.result.loss);
  await run("cut", { steps: 20 });
  await run("cut", {}, true);
  for (const name of ["checkpoint.safetensors", "model.onnx"])
    assert.ok((await readFile(join(base, "whole", name))).equals(await readFile(join(base, "cut", name))), name);
});

withRuntime("gradients that overflow skip a step, are counted, and halve the loss's factor", async () => {
  // processors compute in float32: only a factor near its largest number overflows there
  const { folder } = await run("overflow", { steps: 20, loss: { l2: 1000 } });
  const path = join(folder, "checkpoint.safetensors");
  const before = await readSafetensors(path);
  const progress = JSON.parse(before.metadata["progress"]!);
  assert.deepEqual(progress.scaling, { scale: 2 ** 16, good: 20, skipped: 0 });
  const scaling = { scale: 2 ** 127, good: 20, skipped: 0 };
  await writeSafetensors(path, { ...before, metadata: { progress: JSON.stringify({ ...progress, scaling }) } });

  await run("overflow", { steps: 21, loss: { l2: 1000 } }, true);
  const after = await readSafetensors(path);
  assert.deepEqual(JSON.parse(after.metadata["progress"]!).scaling, { scale: 2 ** 126, good: 0, skipped: 1 });
  for (const [name, { data }] of before.tensors) assert.deepEqual(after.tensors.get(name)!.data, data, name);

  const { events, result } = await run("overflow", { steps: 40, loss: { l2: 1000 } }, true);
  const skipped = result.skipped!;
  assert.ok(skipped >= 2 && skipped < 19, `${skipped}`);
  assert.deepEqual(
    events.slice(0, skipped).map(({ lossScale }) => lossScale),
    Array.from({ length: skipped }, (_, i) => 2 ** (126 - i)),
  );
  assert.equal(events.at(-1)!.skipped, skipped);
  assert.ok(Number.isFinite(result.loss));
  const card = JSON.parse(await readFile(join(folder, "model.json"), "utf8"));
  assert.equal(card.training.skipped, skipped);
  assert.equal(card.training.precision, "float16");
});

test("the factor doubles after many good steps", () => {
  let scaling = firstScaling;
  for (let i = 0; i < patienceOfScale; i++) scaling = afterGood(scaling);
  assert.deepEqual(scaling, { scale: 2 ** 17, good: 0, skipped: 0 });
  assert.equal(afterOverflow({ scale: 1, good: 0, skipped: 3 }), undefined);
});

withRuntime("where no factor helps, it has diverged", async () => {
  const large = join(base, "large.npy");
  await writeArray(large, volume(new Float32Array(1440).fill(1e6), [10, 12, 12]));
  await assert.rejects(run("diverged", { data: { input: large } }), (error: Error & { code: string }) => {
    assert.equal(error.code, "ERR_SINO_MODEL");
    assert.match(error.message, /diverged at step 17/);
    return true;
  });
});

withRuntime("a provider that is not there is refused by its name", async () => {
  await assert.rejects(run("provider", { provider: "cuda" }), (error: Error & { code: string }) => {
    assert.equal(error.code, "ERR_SINO_BACKEND_UNAVAILABLE");
    assert.match(error.message, /cuda/);
    return true;
  });
});

test.run();
