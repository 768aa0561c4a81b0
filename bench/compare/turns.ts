/** One row of the comparison: everyone's result first, then their times, taking turns. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readNpy } from "../../lib/data/npy.ts";
import { agreement } from "./agreement.ts";
import type { Case, Peer } from "./cases.ts";
import type { Contender } from "./contender.ts";
import type { Inputs } from "./inputs.ts";
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

export async function measure(
  item: Case,
  entries: readonly Entry[],
  inputs: Inputs,
  effort: Effort,
  predictions: Predictions,
): Promise<Measured[]> {
  const data = item.operation === "read-series" ? { ...item.data, folder: inputs.series(item.slices, 512) } : item.data;
  const input = await item.input(inputs);
  const all: Measured[] = [];
  const runners: Runner[] = [];
  let ours: Float32Array | undefined;
  for (const entry of entries) {
    const measured: Measured = { name: nameOf(entry) };
    all.push(measured);
    const predicted = predictions.of(item, measured.name);
    if (entry.peer && entry.peer.module !== "ours" && predicted > effort.limit * 1000) {
      measured.skipped = `a call would take about ${(predicted / 1000).toFixed(0)} s`;
      continue;
    }
    const operation = entry.peer?.operation ?? item.operation;
    try {
      await entry.contender.ask({ do: "prepare", operation, case: data, input });
      const result = await resultOf(entry, operation, item, inputs);
      if (result.error !== undefined) measured.error = result.error;
      if (!entry.peer) ours = result.data;
      else if (ours)
        measured.agreement = {
          ...agreement(result.data, ours, result.shape, entry.peer.region ?? "all"),
          bound: entry.peer.bound,
        };
      if (entry.peer && !ours && entries.some(({ peer }) => !peer)) {
        measured.skipped = "there is no result of ours to compare with";
        continue;
      }
      if (measured.agreement && !(measured.agreement.relativeL2 <= measured.agreement.bound)) {
        measured.skipped = "its result differs";
        continue;
      }
      const first = (await entry.contender.run(operation, 1)).wall[0]!; // the second run by now: warm
      predictions.learn(item, measured.name, first);
      runners.push({
        entry,
        operation,
        measured,
        repeat: Math.min(100, Math.max(1, Math.ceil(turnMs / first))),
        samples: [],
      });
    } catch (error) {
      measured.skipped = (error as Error).message;
    }
  }
  await takeTurns(runners, effort);
  for (const entry of entries) await entry.contender.ask({ do: "forget" });
  const own = runners.find((runner) => !runner.entry.peer);
  for (const { entry, measured, samples } of runners) {
    measured.wall = spreadOf(samples.map((sample) => sample.wall));
    measured.cpu = spreadOf(samples.map((sample) => sample.cpu));
    if (entry.peer && own)
      measured.ratio = spreadOf(samples.map((sample, turn) => sample.wall / own.samples[turn]!.wall));
  }
  return all;
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
