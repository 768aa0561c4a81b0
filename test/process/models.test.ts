/** Models in threads of their own, and trained networks on images larger and smaller than they were trained on. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sizeOf, volume } from "../../lib/core/arrays.ts";
import { writeSafetensors } from "../../lib/data/safetensors.ts";
import { conv, Graph, matmul, writeOnnx } from "../../lib/graph/index.ts";
import { applyTrained, loadTrained, openModel, type Trained } from "../../lib/models/index.ts";
import { openSession } from "../../lib/models/session.ts";
import { type NetworkDescription, networkModel, summarize } from "../../lib/networks/index.ts";
import { assertClose } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("models");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

function doubling(): Uint8Array {
  const graph = new Graph("double");
  const x = graph.input("x", [1, 1, 2, 2]);
  graph.output("y", conv(x, graph.constant([2], [1, 1, 1, 1])));
  return writeOnnx(graph);
}

const feed = (...values: number[]) => ({ x: { data: Float32Array.from(values), shape: [1, 1, 2, 2] } });

withRuntime("two sessions answer each call with its own result; arrays stay with the caller", async () => {
  const model = await openModel(doubling(), { sessions: 2, threads: 2 });
  assert.equal(model.provider, "cpu");
  const feeds = Array.from({ length: 7 }, (_, i) => feed(i, 1, 2, 3));
  const results = await Promise.all(feeds.map((f) => model.run(f)));
  results.forEach(({ y }, i) => {
    assert.deepEqual([...y!.data], [2 * i, 2, 4, 6]);
    assert.equal(feeds[i]!.x.data[0], i);
  });
  await model.dispose();
  await model.dispose();
  await assert.rejects(model.run(feed(1, 2, 3, 4)), { code: "ERR_SINO_DISPOSED" });
});

withRuntime("the event loop goes on while a model runs", async () => {
  const graph = new Graph("long");
  const x = graph.input("x", [512, 512]);
  let y = x;
  for (let i = 0; i < 60; i++) y = matmul(y, x);
  graph.output("y", y);
  const model = await openModel(writeOnnx(graph), { threads: 1 });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const values = new Float32Array(512 * 512);
  await model.run({ x: { data: values, shape: [512, 512] } });
  clearInterval(timer);
  assert.ok(turns > 3, `${turns} turns`);
  await model.dispose();
});

withRuntime("a named provider is used or refused; what cannot be run says why", async () => {
  await assert.rejects(openModel(doubling(), { provider: "cuda" }), (error: Error & { code: string }) => {
    assert.equal(error.code, "ERR_SINO_BACKEND_UNAVAILABLE");
    assert.match(error.message, /cuda/);
    return true;
  });
  await assert.rejects(openModel(new Uint8Array(9)), { code: "ERR_SINO_MODEL" });
  const model = await openModel(doubling());
  await assert.rejects(model.run({}), { code: "ERR_SINO_ARG_TYPE" });
  await assert.rejects(model.run({ x: { data: new Float32Array(3), shape: [1, 1, 2, 2] } }), {
    code: "ERR_SINO_SHAPE",
  });
  await assert.rejects(model.run({ x: { data: new Float32Array(4), shape: [4] } }), { code: "ERR_SINO_MODEL" });
  await model.dispose();
});

const network: NetworkDescription = { kind: "dncnn", inChannels: 1, depth: 4, channels: 4, norm: "none" };
const scale = { offset: 10, factor: 0.5 };

function trainedNetwork(): Trained {
  const { parameterSpecs } = summarize(network, { batch: 1, size: [8, 8] });
  const weights = parameterSpecs.map(
    ({ name, shape }, i) =>
      [
        name,
        randomFloats(
          shape.reduce((a, b) => a * b, 1),
          i,
        ).map((v) => 0.3 * v),
      ] as const,
  );
  return { network, weights: new Map(weights), scale };
}

withRuntime("tiles with a margin as wide as the network looks give what the whole image gives, inside", async () => {
  const trained = trainedNetwork();
  const [n, rows, columns] = [2, 53, 47];
  const images = randomFloats(n * rows * columns, 3);
  const tiled = await applyTrained(trained, volume(images, [n, rows, columns]), {
    tile: 24,
    margin: 4,
    batch: 3,
    sessions: 2,
    threads: 2,
  });
  const session = await openSession(
    networkModel(network, trained.weights, { batch: n, size: [rows, columns] }, { scale }),
  );
  const { y } = await session.run({ x: { data: images, shape: [n, 1, rows, columns] } });
  await session.close();
  // beyond the edges tiles see a mirror, the whole image zeros: compare what is four pixels inside
  const inside = (data: Float32Array) =>
    data.filter((_, i) => {
      const [r, c] = [Math.floor(i / columns) % rows, i % columns];
      return r >= 4 && r < rows - 4 && c >= 4 && c < columns - 4;
    });
  assertClose(inside(tiled.data as Float32Array), inside(y!.data as Float32Array), { atol: 1e-5 });
});

withRuntime("a folder of a training run is loaded; sides that do not halve are mirrored out", async () => {
  const folder = temporaryFolder();
  const unet: NetworkDescription = { kind: "n2n-unet", inChannels: 1, channels: 4, levels: 2 };
  const { parameterSpecs } = summarize(unet, { batch: 1, size: [8, 8] });
  const tensors = new Map(
    parameterSpecs.map(({ name, shape }, i) => [
      name,
      {
        shape,
        data: randomFloats(
          shape.reduce((a, b) => a * b, 1),
          i,
        ),
      },
    ]),
  );
  await writeSafetensors(join(folder, "weights.safetensors"), { tensors, metadata: {} });
  await writeFile(join(folder, "model.json"), JSON.stringify({ network: unet, training: { data: { factor: 2 } } }));
  const trained = await loadTrained(folder);
  assert.deepEqual(trained.scale, { offset: 0, factor: 2 });
  const image = volume(randomFloats(10 * 13, 1), [10, 13]);
  const result = await applyTrained(trained, image);
  assert.deepEqual(result.shape, [10, 13]);
  assert.ok((result.data as Float32Array).every(Number.isFinite));
  await assert.rejects(applyTrained(trained, volume(new Float32Array(16), [16])), { code: "ERR_SINO_SHAPE" });
  await assert.rejects(loadTrained(join(folder, "nothing")), { code: "ERR_SINO_IO" });
});

/** A network of this description with random weights, and what it makes of whole images. */
async function whole(d: NetworkDescription, x: Float32Array, shape: readonly number[]) {
  const sizes = { batch: shape[0]!, size: shape.slice(2) };
  const specs = summarize(d, sizes).parameterSpecs;
  const weights = new Map(specs.map((s, i) => [s.name, randomFloats(sizeOf(s.shape), i).map((v) => 0.3 * v)]));
  const session = await openSession(networkModel(d, weights, sizes, { scale }));
  const { y } = await session.run({ x: { data: x, shape } });
  await session.close();
  return { trained: { network: d, weights, scale }, y: y!.data as Float32Array };
}

withRuntime("several channels: as they are given, or a slice with its neighbours", async () => {
  const d: NetworkDescription = { kind: "unet", inChannels: 3, outChannels: 2, channels: [4], blocks: 1, norm: "none" };
  const slices = randomFloats(4 * 60, 1);
  const slice = (n: number) => slices.subarray(n * 60, (n + 1) * 60);
  // the ends are mirrored: slice −1 is slice 1, slice 4 is slice 2
  const order = [1, 0, 1, 0, 1, 2, 1, 2, 3, 2, 3, 2];
  const channels = Float32Array.from(order.flatMap((n) => [...slice(n)]));
  const { trained, y } = await whole(d, channels, [4, 3, 6, 10]);
  const given = await applyTrained(trained, volume(channels, [4, 3, 6, 10]), { threads: 1, batch: 3 });
  assert.deepEqual(given.shape, [4, 2, 6, 10]);
  assertClose(given.data as Float32Array, y, { atol: 1e-4 });
  const near = await applyTrained(trained, volume(slices, [4, 6, 10]), { threads: 1, neighbours: true });
  assertClose(near.data as Float32Array, y, { atol: 1e-4 });
  await assert.rejects(applyTrained(trained, volume(slices, [4, 6, 10])), /neighbours: true/);
});

withRuntime("volumes in tiles with a margin give what the whole volume gives, inside", async () => {
  const d: NetworkDescription = {
    kind: "unet",
    dimensions: 3,
    inChannels: 1,
    outChannels: 1,
    channels: [2],
    block: "double",
    norm: "none",
  };
  const shape = [13, 15, 18];
  const images = randomFloats(sizeOf(shape), 2);
  const { trained, y } = await whole(d, images, [1, 1, ...shape]);
  // a few convolutions of three look as many voxels far
  const tiled = await applyTrained(trained, volume(images, shape), { tile: 14, margin: 6, threads: 1 });
  assert.deepEqual(tiled.shape, shape);
  const inside = (data: Float32Array) =>
    data.filter((_, i) => {
      const at = [Math.floor(i / 270), Math.floor(i / 18) % 15, i % 18];
      return at.every((k, axis) => k >= 6 && k < shape[axis]! - 6);
    });
  assertClose(inside(tiled.data as Float32Array), inside(y), { atol: 1e-4 });
});

withRuntime("sessions share the threads, and are no more than those", async () => {
  for (const [sessions, threads, expected] of [
    [2, 5, [2, 2]],
    [4, 2, [2, 1]],
  ] as const) {
    const model = await openModel(doubling(), { sessions, threads });
    assert.deepEqual([model.sessions, model.threads], expected);
    await model.dispose();
  }
});

test.run();
