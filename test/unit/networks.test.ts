/** Networks from JSON: what is refused and how, what is counted, and that use and training agree. */
import assert from "node:assert/strict";
import { readOnnx } from "../../lib/graph/index.ts";
import { openSession } from "../../lib/models/session.ts";
import {
  activationModel,
  type NetworkDescription,
  networkModel,
  parseNetwork,
  summarize,
} from "../../lib/networks/index.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("networks");

test("suggests the right word for a misspelt one", () => {
  const refused = (json: unknown, words: RegExp) =>
    assert.throws(
      () => parseNetwork(json),
      (error: Error & { code: string }) => {
        assert.equal(error.code, "ERR_SINO_IO_FORMAT");
        assert.match(error.message, words);
        return true;
      },
    );
  refused({ kind: "unett", inChannels: 1 }, /Did you mean unet\?/);
  refused({ kind: "dncnn", inChannels: 1, chanels: 3 }, /Did you mean channels\?/);
  refused({ kind: "unet", inChannels: 0, outChannels: 1, channels: [8] }, /at inChannels/);
  refused(null, /expected a kind of unet, dncnn/);
});

test("counts parameters and operations", () => {
  const dncnn: NetworkDescription = { kind: "dncnn", inChannels: 1 };
  const { parameters, flops } = summarize(dncnn, { batch: 1, size: [40, 40] });
  // 64·9 + 64, fifteen times 64·64·9 and two for the norm, 64·9 + 1
  assert.equal(parameters, 640 + 15 * (36864 + 128) + 577);
  assert.equal(flops, 2 * 1600 * (576 + 15 * 36864 + 576));
});

test("says so where sizes do not halve", () => {
  const unet: NetworkDescription = { kind: "unet", inChannels: 1, outChannels: 1, channels: [8, 8, 8] };
  assert.throws(
    () => summarize(unet, { batch: 1, size: [18, 18] }),
    /Concat expected shapes that differ along axis 1 only/,
  );
  assert.throws(() => summarize({ ...unet, dimensions: 3 }, { batch: 1, size: [16, 16] }), /3 dimensions/);
});

test("features are what enters a convolution, and nothing behind it; a wrong name is told the right ones", () => {
  const d: NetworkDescription = {
    kind: "unet",
    inChannels: 1,
    outChannels: 1,
    channels: [4, 6],
    blocks: 1,
    norm: "none",
    unshuffle: 2,
  };
  const size = { batch: 3, size: [16, 24] };
  const weights = new Map(
    summarize(d, size).parameterSpecs.map(({ name, shape }) => [
      name,
      new Float32Array(shape.reduce((a, b) => a * b, 1)),
    ]),
  );
  const graph = readOnnx(activationModel(d, weights, size, "down.0.down"));
  assert.deepEqual(graph.outputs.get("maps")!.shape, [3, 4, 8, 12]);
  assert.equal(graph.nodes.filter(({ type }) => /^Conv/.test(type)).length, 3);
  assert.throws(
    () => activationModel(d, weights, size, "down.0.conv"),
    /one of first, .*up\.1\.up.*received down\.0\.conv/,
  );
});

test.skipUnless(hasOnnxRuntime, noOnnxRuntime)("a model holds its weights, and says which are missing", async () => {
  const d: NetworkDescription = { kind: "redcnn", inChannels: 1, channels: 4 };
  const size = { batch: 1, size: [24, 28] };
  const { parameterSpecs, outputShape } = summarize(d, size);
  const weights = new Map(
    parameterSpecs.map(({ name, shape }, i) => [
      name,
      randomFloats(
        shape.reduce((a, b) => a * b, 1),
        i,
      ),
    ]),
  );
  const session = await openSession(networkModel(d, weights, size));
  const { y } = await session.run({ x: { data: randomFloats(672, 1), shape: [1, 1, 24, 28] } });
  await session.close();
  assert.deepEqual(y!.shape, outputShape);
  weights.delete("tconv3.bias");
  assert.throws(() => networkModel(d, weights, size), /expected 4 values for tconv3\.bias .* hold none/);
});

test.run();
