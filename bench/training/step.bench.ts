/**
 * One training step beside PyTorch's, the same network, weights and batches, in turns: processor and wall time, losses, memory.
 * PyTorch is that of python3 or $PYTHON; where it does not start, that is said, and our side is measured alone.
 *
 *     SINOGRAM_THREADS=1 node --import tsx bench/training/step.bench.ts [n2n|unet …] [--turns=5] [--steps=1]
 *
 * `--turns=1 --steps=200 small` compares 200 steps of training instead: the losses at the end.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openSession, type Values } from "../../lib/models/session.ts";
import { type NetworkDescription, summarize } from "../../lib/networks/index.ts";
import { corrections } from "../../lib/training/optimizer.ts";
import { initialVector } from "../../lib/training/random.ts";
import { lengthOf } from "../../lib/training/state.ts";
import { stepGraph } from "../../lib/training/step-graph.ts";
import { randomFloats } from "../../test/support/random.ts";

const cases: Record<string, { network: NetworkDescription; batch: number; size: number[] }> = {
  n2n: { network: { kind: "n2n-unet", inChannels: 1, levels: 3 }, batch: 16, size: [72, 72] },
  unet: {
    network: {
      kind: "unet",
      inChannels: 1,
      outChannels: 1,
      channels: [32, 64, 128, 220],
      blocks: 1,
      time: true,
      attention: [3],
    },
    batch: 4,
    size: [128, 128],
  },
  small: {
    network: { kind: "unet", inChannels: 1, outChannels: 1, channels: [16, 32], blocks: 1, time: true, attention: [1] },
    batch: 4,
    size: [24, 24],
  },
};

const flags = Object.fromEntries(
  process.argv.slice(2).flatMap((word) => (word.startsWith("--") ? [word.slice(2).split("=")] : [])),
) as Record<string, string>;
const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const turns = Number(flags["turns"] ?? 5);
const steps = Number(flags["steps"] ?? 1);
const threads = Number(process.env["SINOGRAM_THREADS"] ?? 2);
const optimizer = { rate: 1e-3, decay: 0.01, clip: 1 };

interface Answer {
  loss: number[];
  cpu: number[];
  wall: number[];
  peakMB: number;
}

type Side = { run(count: number): Promise<Answer>; close(): Promise<void> };
type Case = (typeof cases)[string];

/** Four batches that take turns: something to learn, so smooth inputs and targets. */
function batchesOf({ network, batch, size }: Case): { x: Float32Array; target: Float32Array; count: number } {
  const count = 4;
  const length = count * batch * network.inChannels * size.reduce((a, b) => a * b, 1);
  const noise = randomFloats(length, 1);
  const target = Float32Array.from({ length }, (_, i) => Math.sin(i / 17) * Math.cos(i / 1013));
  return { x: target.map((v, i) => v + 0.5 * noise[i]!), target, count };
}

/** Its steps write into `vector`. */
async function ours(
  { network, batch, size }: Case,
  vector: Float32Array<ArrayBuffer>,
  data: ReturnType<typeof batchesOf>,
): Promise<Side> {
  const graph = stepGraph({ network, size: { batch, size }, loss: { l2: 1 }, optimizer });
  const session = await openSession(graph.model, { threads });
  const n = lengthOf(graph.parameters);
  const state = { parameters: vector, first: new Float32Array(n), second: new Float32Array(n) };
  const values = (data: Float32Array, shape: readonly number[]): Values => ({ data, shape });
  const scalar = (value: number) => values(Float32Array.of(value), []);
  const shape = [batch, network.inChannels, ...size];
  const length = data.x.length / data.count;
  let done = 0;
  return {
    async run(count) {
      const answer: Answer = { loss: [], cpu: [], wall: [], peakMB: 0 };
      for (let i = 0; i < count; i++, done++) {
        const [cpu, wall] = [process.cpuUsage(), performance.now()];
        const at = (done % data.count) * length;
        const [correction1, correction2] = corrections(done + 1);
        const results = await session.run(
          {
            ...Object.fromEntries(Object.entries(state).map(([name, v]) => [name, values(v, [n])])),
            input: values(data.x.subarray(at, at + length), shape),
            target: values(data.target.subarray(at, at + length), graph.targetShape),
            weight: values(new Float32Array(batch).fill(1), [batch]),
            t: values(new Float32Array(batch).fill(100), [batch]),
            rate: scalar(optimizer.rate),
            correction1: scalar(correction1),
            correction2: scalar(correction2),
          },
          Object.fromEntries(Object.entries(state).map(([name, v]) => [`next_${name}`, values(v, [n])])),
        );
        const used = process.cpuUsage(cpu);
        answer.loss.push(Number(results["loss"]!.data[0]));
        answer.cpu.push((used.user + used.system) / 1000);
        answer.wall.push(performance.now() - wall);
      }
      answer.peakMB = process.resourceUsage().maxRSS / 1024;
      return answer;
    },
    close: () => session.close(),
  };
}

async function torch(
  { network, batch, size }: Case,
  vector: Float32Array,
  data: ReturnType<typeof batchesOf>,
): Promise<Side | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "sinogram-"));
  const files = { parameters: vector, x: data.x, target: data.target };
  const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, name)]));
  for (const [name, values] of Object.entries(files)) await writeFile(paths[name]!, values);
  const parameters = summarize(network, { batch, size }).parameterSpecs.map(({ name, shape }) => [name, shape]);
  const json = { network, batch, size, batches: data.count, optimizer, parameters, files: paths };
  await writeFile(join(folder, "case.json"), JSON.stringify(json));
  const script = join(import.meta.dirname, "../python/training.py");
  const python = process.env["PYTHON"] ?? "python3";
  const child = spawn(python, [script, join(folder, "case.json"), String(threads)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  // both come where there is no such program: the second from what is written to it
  child.on("error", (error) => console.log(`${python} does not start: ${error.message}`));
  child.stdin.on("error", () => undefined);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const side: Side = {
    async run(count) {
      child.stdin.write(`${count}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error("PyTorch's side ended");
      return JSON.parse(value) as Answer;
    },
    async close() {
      child.stdin.end();
      await rm(folder, { recursive: true });
    },
  };
  // the first answer tells whether there is a PyTorch at all
  return side.run(0).then(
    () => side,
    async () => {
      console.log(`${python} runs no PyTorch: PYTHON names one that does. Measured is our side alone.`);
      await side.close();
      return undefined;
    },
  );
}

const least = (list: readonly number[]) => Math.min(...list);
const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[list.length >> 1]!;

for (const name of words.length > 0 ? words : ["n2n", "unet"]) {
  const one = cases[name];
  if (!one) throw new Error(`No case ${name}: ${Object.keys(cases).join(", ")}`);
  const { parameterSpecs, parameters, flops } = summarize(one.network, one);
  const vector = await initialVector(parameterSpecs, parameters, 1);
  const data = batchesOf(one);
  const sides: [string, Side | undefined][] = [
    ["sinogram", await ours(one, vector, data)],
    ["PyTorch", await torch(one, vector, data)],
  ];
  console.log(
    `${name}: ${(parameters / 1e6).toFixed(2)} M parameters, ${one.batch} × ${one.size.join(" × ")}, ${((3 * flops) / 1e9).toFixed(0)} GFLOP a step, ${threads} threads`,
  );
  const answers = new Map<string, Answer[]>();
  for (let turn = 0; turn <= turns; turn++)
    for (const [side, process] of sides)
      if (process) answers.set(side, [...(answers.get(side) ?? []), await process.run(turn === 0 ? 1 : steps)]);
  const best = new Map<string, number>();
  for (const [side, list] of answers) {
    const timed = list.slice(1); // the first step makes what later ones find
    const cpu = timed.flatMap((a) => a.cpu);
    best.set(side, least(cpu));
    const losses = list.flatMap((a) => a.loss);
    console.log(
      `  ${side.padEnd(9)} processor ${least(cpu).toFixed(0)} ms (median ${median(cpu).toFixed(0)}), wall ${least(timed.flatMap((a) => a.wall)).toFixed(0)} ms, ` +
        `peak ${list.at(-1)!.peakMB.toFixed(0)} MB, loss ${losses[0]!.toPrecision(5)} → ${losses.at(-1)!.toPrecision(5)}`,
    );
  }
  if (best.has("PyTorch")) console.log(`  ratio     ${(best.get("sinogram")! / best.get("PyTorch")!).toFixed(2)}`);
  for (const [, side] of sides) await side?.close();
}
