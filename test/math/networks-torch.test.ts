/** Outputs and gradients of every kind of network against PyTorch's, where python3 has it (bench/python/networks.py). */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type NamedArray, writeSafetensors } from "../../lib/data/safetensors.ts";
import { Graph, gradients, mul, reduceMean, writeOnnx } from "../../lib/graph/index.ts";
import { openSession, type Values } from "../../lib/models/session.ts";
import {
  InputSource,
  inputsOf,
  type NetworkDescription,
  type NetworkSize,
  networkIn,
} from "../../lib/networks/index.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const cases: Record<string, [NetworkDescription, NetworkSize]> = {
  "U-Net with time, attention and conditions": [
    {
      kind: "unet",
      inChannels: 2,
      outChannels: 1,
      channels: [32, 64],
      time: true,
      attention: [1],
      classes: 3,
      values: 2,
      context: 6,
      residual: true,
    },
    { batch: 2, size: [16, 12], contextLength: 3 },
  ],
  "plain U-Net": [
    { kind: "unet", block: "double", inChannels: 1, outChannels: 4, channels: [8, 16, 32] },
    { batch: 3, size: [16, 24] },
  ],
  "U-Net on unshuffled pixels": [
    {
      kind: "unet",
      inChannels: 1,
      outChannels: 2,
      channels: [8, 16],
      blocks: 1,
      time: true,
      unshuffle: 4,
    },
    { batch: 2, size: [24, 16] },
  ],
  "U-Net with time and no norm": [
    { kind: "unet", inChannels: 2, outChannels: 1, channels: [8, 16], blocks: 1, time: true, norm: "none" },
    { batch: 2, size: [16, 12] },
  ],
  "3-D U-Net": [
    { kind: "unet", dimensions: 3, inChannels: 1, outChannels: 1, channels: [8, 16], blocks: 1, time: true },
    { batch: 1, size: [4, 8, 6] },
  ],
  "N2N U-Net": [
    { kind: "n2n-unet", inChannels: 1, channels: 12, levels: 3 },
    { batch: 2, size: [24, 16] },
  ],
  DnCNN: [
    { kind: "dncnn", inChannels: 1, depth: 5, channels: 16 },
    { batch: 2, size: [15, 18] },
  ],
  "RED-CNN": [
    { kind: "redcnn", inChannels: 1, channels: 12 },
    { batch: 1, size: [30, 28] },
  ],
  SRResNet: [
    { kind: "srresnet", inChannels: 1, blocks: 2, channels: 16, factor: 4 },
    { batch: 2, size: [10, 9] },
  ],
  discriminator: [
    { kind: "discriminator", inChannels: 1, channels: 8 },
    { batch: 3, size: [32, 32] },
  ],
  PatchGAN: [
    { kind: "patchgan", inChannels: 1, channels: 8 },
    { batch: 2, size: [40, 48] },
  ],
};

const script = `
import sys, json, numpy as np, torch
sys.path.insert(0, sys.argv[1])
from networks import network
def compare(file):
    raw = open(file, "rb").read()
    n = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8 : 8 + n])
    def get(k):
        shape = head[k]["shape"]
        values = np.frombuffer(raw, "<f4", int(np.prod(shape)), 8 + n + head[k]["data_offsets"][0])
        return torch.from_numpy(values.reshape(shape).copy())
    net = network(json.loads(head["__metadata__"]["network"])).train()
    named = dict(net.named_parameters())
    assert set(named) == {k[2:] for k in head if k.startswith("p:")}, "other names"
    with torch.no_grad():
        for k, p in named.items(): p.copy_(get("p:" + k).reshape(p.shape))
    inputs = {k[2:]: get(k) for k in head if k.startswith("i:")}
    if "class" in inputs: inputs["class"] = inputs["class"].long()
    y = net(inputs)
    grads = torch.autograd.grad((y * get("r")).mean(), list(named.values()))
    error = lambda a, b: float((a.reshape(b.shape) - b).norm())
    each = [error(get("g:" + k), g) for k, g in zip(named, grads)]
    scale = sum(float(g.norm()) ** 2 for g in grads) ** 0.5
    worst = max((e / max(float(g.norm()), 1e-3 * scale), k) for e, k, g in zip(each, named, grads))
    return {"y": error(get("y"), y.detach()) / float(y.detach().norm()), "whole": sum(e**2 for e in each) ** 0.5 / scale, "worst": worst}
print(json.dumps([compare(file) for file in sys.argv[2:]]))
`;

const test = testSuite("networks against PyTorch");
const hasTorch = hasOnnxRuntime && pythonHas("torch", "numpy");

/** Runs a case here and writes down what went in and what came out. */
async function record(file: string, network: NetworkDescription, size: NetworkSize): Promise<void> {
  const graph = new Graph();
  const source = new InputSource(graph, { isTraining: true });
  const y = networkIn(graph, source, network, size);
  const length = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const r = randomFloats(length(y.shape), 99);
  const parameters = source.parameters.map((p) => source.tensors.get(p.name)!);
  const slopes = gradients(reduceMean(mul(y, graph.constant(r, y.shape))), parameters);
  graph.output("out:y", y);
  source.parameters.forEach((p, i) => {
    graph.output(`g:${p.name}`, slopes[i]!);
  });
  const feeds: Record<string, Values> = {};
  const stored = new Map<string, NamedArray>();
  source.parameters.forEach(({ name, shape, mean, deviation }, i) => {
    // also what starts at zero gets values, else half of the gradients would be zero
    const data = randomFloats(length(shape), 1000 + i).map((v) => mean + v * (deviation || 0.1));
    feeds[name] = { data, shape };
    stored.set(`p:${name}`, { data, shape });
  });
  for (const { name, shape, mean } of source.buffers)
    feeds[name] = { data: new Float32Array(length(shape)).fill(mean), shape };
  inputsOf(network, size).forEach(({ name, shape, type }, i) => {
    const data = randomFloats(length(shape), 50 + i);
    if (name === "t") data.set(data.map((_, k) => 10 + 300 * k));
    if (type === "int64") data.set(data.map((_, k) => k % 3));
    feeds[name] = { data: type === "int64" ? BigInt64Array.from(data, BigInt) : data, shape };
    stored.set(`i:${name}`, { data, shape });
  });
  const session = await openSession(writeOnnx(graph), { threads: 1 });
  const results = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!])));
  await session.close();
  stored.set("r", { data: r, shape: y.shape });
  stored.set("y", results["out:y"] as NamedArray);
  for (const { name } of source.parameters) stored.set(`g:${name}`, results[`g:${name}`] as NamedArray);
  await writeSafetensors(file, { tensors: stored, metadata: { network: JSON.stringify(network) } });
}

interface Errors {
  readonly y: number;
  readonly whole: number;
  readonly worst: readonly [number, string];
}

/** PyTorch takes seconds to start: once for all cases. */
async function compareAll(): Promise<Map<string, Errors>> {
  const folder = await mkdtemp(join(tmpdir(), "sinogram-"));
  try {
    const files = Object.keys(cases).map((_, i) => join(folder, `${i}.safetensors`));
    for (const [i, [network, size]] of Object.values(cases).entries()) await record(files[i]!, network, size);
    const errors = pythonJson(script, resolve("bench/python"), ...files) as Errors[];
    return new Map(Object.keys(cases).map((name, i) => [name, errors[i]!]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

let compared: Promise<Map<string, Errors>> | undefined;

for (const name of Object.keys(cases))
  test.skipUnless(hasTorch, hasOnnxRuntime ? "python3 has no torch" : noOnnxRuntime)(name, async () => {
    compared ??= compareAll();
    const error = (await compared).get(name)!;
    // float32 sums in another order; the worst parameter is one whose gradient nearly cancels
    assert.ok(error.y < 2e-5 && error.whole < 1e-4 && error.worst[0] < 1e-3, JSON.stringify(error));
  });

test.run();
