/** One row of the comparison: everyone's result first, then their times, taking turns. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readNpy } from "../../lib/data/npy.ts";
import { agreement } from "./agreement.ts";
import type { Case, Peer } from "./cases.ts";
import type { Contender } from "./contender.ts";
import type { Inputs } from "./inputs.ts";
import type { CaseData } from "./protocol.ts";
import type { Measured } from "./results.ts";
import { median, spreadOf } from "./statistics.ts";

export interface Effort {
  /** Seconds of measuring per row, and the least and most turns. */
  seconds: number;
  leastTurns: number;
  mostTurns: number;
  /** Seconds of one call beyond which a peer is left out. */
  limit: number;
}

export interface Entry {
  /** undefined for ours. */
  peer: Peer | undefined;
  contender: Contender;
}

interface Runner {
  entry: Entry;
  operation: string;
  measured: Measured;
  repeat: number;
  samples: { wall: number; cpu: number }[];
}

/** Short calls are repeated within a turn until they take about this long, ms. */
const turnMs = 30;
/** Between turns: thread pools that spin after a call have gone to sleep, ms. */
const pauseMs = 5;

/** What a call of this contender will take, in ms, from the least it took before per unit of work. */
export class Predictions {
  readonly #rates = new Map<string, number>();

  learn(item: Case, name: string, ms: number): void {
    const key = rateKey(item, name);
    this.#rates.set(key, Math.min(this.#rates.get(key) ?? Number.POSITIVE_INFINITY, ms / item.work));
  }

  of(item: Case, name: string): number {
    return (this.#rates.get(rateKey(item, name)) ?? 0) * item.work;
  }
}

const nameOf = (entry: Entry): string => entry.peer?.name ?? "sinogram";
const rateKey = (item: Case, name: string) => `${name} ${item.data.beam ?? item.id} ${item.operation}`;

/** What `measure` and its steps share about one row. */
interface Row {
  item: Case;
  data: CaseData;
  input: string | undefined;
  inputs: Inputs;
  /** Our result, once it is there. */
  ours: Float32Array | undefined;
  /** Whether others must agree with ours; false where the Python side runs alone. */
  held: boolean;
}

/** Measures one case; `entries` begins with ours, where ours takes part. */
export async function measure(
  item: Case,
  entries: readonly Entry[],
  inputs: Inputs,
  effort: Effort,
  predictions: Predictions,
): Promise<Measured[]> {
  const data = item.operation === "read-series" ? { ...item.data, folder: inputs.series(item.slices, 512) } : item.data;
  const held = entries.some(({ peer }) => !peer);
  const row: Row = { item, data, input: await item.input(inputs), inputs, ours: undefined, held };
  const runners = entries.map((entry): Runner => {
    const operation = entry.peer?.operation ?? item.operation;
    return { entry, operation, measured: { name: nameOf(entry) }, repeat: 1, samples: [] };
  });
  const ready: Runner[] = [];
  for (const runner of runners) {
    const { entry, measured } = runner;
    const predicted = predictions.of(item, measured.name);
    const isOurs = !entry.peer || entry.peer.module === "ours";
    const reason =
      !isOurs && predicted > effort.limit * 1000
        ? `a call would take about ${(predicted / 1000).toFixed(0)} s`
        : await refusal(runner, row);
    if (reason) {
      measured.skipped = reason;
      continue;
    }
    const first = (await entry.contender.run(runner.operation, 1)).wall[0]!; // the second run by now: warm
    predictions.learn(item, measured.name, first);
    runner.repeat = Math.min(100, Math.max(1, Math.ceil(turnMs / first)));
    ready.push(runner);
  }
  await takeTurns(ready, effort);
  for (const entry of entries) await entry.contender.ask({ do: "forget" });
  for (const runner of ready) summarise(runner, ready[0]!);
  return runners.map(({ measured }) => measured);
}

/** Prepares a contender and compares its result with ours. The answer is why it may not be timed, if so. */
async function refusal({ entry, operation, measured }: Runner, row: Row): Promise<string | undefined> {
  try {
    await entry.contender.ask({ do: "prepare", operation, case: row.data, input: row.input });
    const result = await resultOf(entry, operation, row.item, row.inputs);
    if (result.error !== undefined) measured.error = result.error;
    if (!entry.peer) row.ours = result.data;
    if (!entry.peer || !row.held) return undefined;
    if (!row.ours) return "there is no result of ours to compare with";
    const { bound, region = "all" } = entry.peer;
    measured.agreement = { ...agreement(result.data, row.ours, result.shape, region), bound };
    return measured.agreement.relativeL2 <= bound ? undefined : "its result differs";
  } catch (error) {
    return (error as Error).message;
  }
}

function summarise({ entry, measured, samples }: Runner, first: Runner): void {
  measured.wall = spreadOf(samples.map((sample) => sample.wall));
  measured.cpu = spreadOf(samples.map((sample) => sample.cpu));
  if (entry.peer && !first.entry.peer)
    measured.ratio = spreadOf(samples.map((sample, turn) => sample.wall / first.samples[turn]!.wall));
}

async function resultOf(entry: Entry, operation: string, item: Case, inputs: Inputs) {
  const path = join(inputs.folder, "result.npy");
  await entry.contender.ask({ do: "save", operation, output: path });
  const { array } = await readNpy(path);
  const data = array.data as Float32Array;
  if (!item.truth) return { data, shape: array.shape };
  const truth = (await readNpy(await item.truth(inputs))).array.data as Float32Array;
  const length = data.length / array.shape[0]!;
  // Of a large result only the ends are there.
  const same = data.length === truth.length ? truth : Float32Array.from([...ends(truth, length)]);
  const region = item.operation === "project" ? "all" : "disc";
  return { data, shape: array.shape, error: agreement(data, same, array.shape, region).relativeL2 };
}

function* ends(all: Float32Array, length: number): Generator<number> {
  yield* all.subarray(0, length);
  yield* all.subarray(all.length - length);
}

/** A B C, C B A, A B C … : whatever drifts meets everyone alike. */
async function takeTurns(runners: readonly Runner[], effort: Effort): Promise<void> {
  const end = performance.now() + effort.seconds * 1000;
  for (let turn = 0; turn < effort.mostTurns; turn++) {
    if (turn >= effort.leastTurns && performance.now() > end) break;
    for (const runner of turn % 2 ? runners.toReversed() : runners) {
      await sleep(pauseMs);
      const { wall, cpu } = await runner.entry.contender.run(runner.operation, runner.repeat);
      runner.samples.push({ wall: median(wall), cpu: median(cpu) });
    }
  }
}
