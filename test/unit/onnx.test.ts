/** ONNX files: what is written is read back as the same model, broken ones are refused, onnx's own checker agrees. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isCodedError } from "../../lib/core/errors.ts";
import * as g from "../../lib/graph/index.ts";
import { openSession, type Values } from "../../lib/models/session.ts";
import {
  inputsOf,
  type NetworkDescription,
  type NetworkSize,
  networkModel,
  summarize,
} from "../../lib/networks/index.ts";
import { stepGraph } from "../../lib/training/step-graph.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomFloats, randomSource } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("onnx");
const withRuntime = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const length = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const networks: Record<string, [NetworkDescription, NetworkSize]> = {
  "U-Net": [
    {
      kind: "unet",
      inChannels: 1,
      outChannels: 1,
      channels: [8, 16],
      blocks: 1,
      time: true,
      attention: [1],
      classes: 2,
    },
    { batch: 1, size: [8, 12] },
  ],
  "plain U-Net, 3-D": [
    { kind: "unet", dimensions: 3, block: "double", inChannels: 1, outChannels: 2, channels: [4, 8] },
    { batch: 1, size: [4, 6, 8] },
  ],
  N2N: [
    { kind: "n2n-unet", inChannels: 1, channels: 4, levels: 2 },
    { batch: 2, size: [8, 12] },
  ],
  DnCNN: [
    { kind: "dncnn", inChannels: 1, depth: 3, channels: 4 },
    { batch: 1, size: [9, 7] },
  ],
  SRResNet: [
    { kind: "srresnet", inChannels: 1, blocks: 1, channels: 4 },
    { batch: 1, size: [6, 5] },
  ],
};

function modelOf(d: NetworkDescription, size: NetworkSize): Uint8Array<ArrayBuffer> {
  const { parameterSpecs, bufferSpecs } = summarize(d, size);
  const weights = [...parameterSpecs, ...bufferSpecs].map(
    ({ name, shape, mean }, i) => [name, randomFloats(length(shape), i).map((v) => mean + 0.2 * v)] as const,
  );
  return networkModel(d, new Map(weights), size, { metadata: { purpose: "test" } });
}

async function run(model: Uint8Array, feeds: Record<string, Values>): Promise<Values> {
  const session = await openSession(model, { threads: 1 });
  const { y } = await session.run(feeds);
  await session.close();
  return y!;
}

for (const [name, [d, size]] of Object.entries(networks))
  withRuntime(`${name}: read and written again, the same output`, async () => {
    const model = modelOf(d, size);
    const feeds: Record<string, Values> = {};
    for (const { name: input, shape, type } of inputsOf(d, size))
      feeds[input] = {
        data: type === "int64" ? new BigInt64Array(length(shape)).fill(1n) : randomFloats(length(shape), 5),
        shape,
      };
    const again = g.writeOnnx(g.readOnnx(Buffer.from(model)));
    assert.deepEqual((await run(again, feeds)).data, (await run(model, feeds)).data);
  });

withRuntime("a model that was read has gradients: those of the graph it was written from", async () => {
  const shape = [2, 3, 6, 6];
  const [x, w] = [randomFloats(length(shape), 1), randomFloats(4 * 3 * 9, 2)];
  const network = (t: g.Tensor) =>
    g.averagePool(g.relu(g.conv(t, t.graph.constant(w, [4, 3, 3, 3]), { padding: 1 })), 2);
  const features = new g.Graph("features");
  features.output("y", network(features.input("x", shape)));
  const bytes = g.writeOnnx(features);
  const gradient = async (build: (t: g.Tensor) => g.Tensor) => {
    const graph = new g.Graph();
    const input = graph.input("input", shape);
    graph.output("y", g.gradients(g.reduceMean(g.square(build(input))), [input])[0]!);
    return run(g.writeOnnx(graph), { input: { data: x, shape } });
  };
  const read = await gradient((t) => g.importOnnx(t.graph, bytes, { x: t })["y"]!);
  assert.deepEqual(read.data, (await gradient(network)).data);
});

test("refuses what is not a whole model, and says why", () => {
  const [d, size] = networks["N2N"]!;
  const model = modelOf(d, size);
  const next = randomSource(1);
  assert.throws(() => g.readOnnx(new TextEncoder().encode("no model at all")), isCodedError);
  assert.throws(() => g.readOnnx(new Uint8Array()), /holds no graph/);
  for (let i = 0; i < 200; i++) {
    const bytes = i % 2 ? model.slice(0, Math.floor(next() * model.length)) : model.slice();
    if (i % 2 === 0) for (let k = 0; k < 3; k++) bytes[Math.floor(next() * 400)] = Math.floor(next() * 256);
    try {
      g.readOnnx(bytes);
    } catch (error) {
      assert.ok(isCodedError(error), `case ${i}: ${(error as Error).stack}`);
    }
  }
});

const hasChecker = pythonHas("onnx");

test.skipUnless(hasChecker, "python3 has no onnx")("onnx's own checker finds nothing, shapes included", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sinogram-"));
  try {
    const files: string[] = [];
    const put = async (model: Uint8Array) => {
      files.push(join(folder, `${files.length}.onnx`));
      await writeFile(files.at(-1)!, model);
    };
    for (const [d, size] of Object.values(networks)) {
      await put(modelOf(d, size));
      if (d.kind !== "unet" || !d.classes)
        await put(stepGraph({ network: d, size, loss: { l1: 1, l2: 1 }, average: true }).model);
    }
    const script =
      "import sys, onnx\nfor file in sys.argv[1:]: onnx.checker.check_model(onnx.load(file), full_check=True)\nprint(len(sys.argv) - 1)";
    assert.equal(pythonJson(script, ...files), files.length);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
