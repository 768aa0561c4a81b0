/**
 * The training loop. A step is one run of one model; its state goes in and comes out, so what is kept between steps are a
 * few arrays, and a checkpoint is those arrays. Steps block the thread they run on: in a server, call this in a worker.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { sinoError } from "../core/errors.ts";
import { ioError, makeFolder, writeFileAtomic } from "../core/files.ts";
import { readSafetensors, writeSafetensors } from "../data/safetensors.ts";
import { loadTrained } from "../models/index.ts";
import { openSession, type Session, type Values } from "../models/session.ts";
import type { ParameterSpec } from "../networks/index.ts";
import { Ahead } from "./ahead.ts";
import { Batches, type Dataset, readDataset, recipeOf } from "./batches.ts";
import {
  hasCheckpoint,
  namedWeights,
  type RunProgress,
  readCheckpoint,
  type TrainingState,
  writeCheckpoint,
} from "./checkpoint.ts";
import { defaultLoss, type TrainingConfig } from "./config.ts";
import { exportModel } from "./export.ts";
import { corrections } from "./optimizer.ts";
import { trainingPage } from "./plot.ts";
import { initialVector } from "./random.ts";
import { afterGood, afterOverflow, firstScaling } from "./scaling.ts";
import { rateFactor } from "./schedule.ts";
import { lengthOf, views } from "./state.ts";
import { type LossDescription, lossGraph, type StepGraph, type StepGraphOptions, stepGraph } from "./step-graph.ts";
import { ways } from "./unpaired.ts";

/** One line of `log.ndjson`. */
export interface TrainingEvent {
  /** Steps done. */
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Of the gradient, before clipping. */
  readonly norm: number;
  /** Of a discriminator trained alongside: ln 2 = 0.693 is one that cannot tell. */
  readonly critic?: number;
  readonly rate: number;
  readonly seconds: number;
  /** Seconds that the step waited for its batch. */
  readonly wait: number;
  /** In half precision: what the loss was multiplied by, and how many steps were skipped so far because gradients overflowed. */
  readonly lossScale?: number;
  readonly skipped?: number;
  /** After a validation. */
  readonly validation?: number;
}

export interface TrainOptions {
  /** Where checkpoint, log and model are written. */
  readonly folder: string;
  /** Goes on from the folder's checkpoint where there is one; else a folder with a checkpoint is refused. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainingEvent) => void;
}

export interface TrainResult {
  readonly steps: number;
  readonly loss: number;
  readonly best: number | null;
  readonly bestStep: number;
  /** Steps whose gradients overflowed float16. */
  readonly skipped?: number;
  readonly model: string;
}

const scalar = (value: number): Values => ({ data: Float32Array.of(value), shape: [] });
const vector = (data: Float32Array): Values => ({ data, shape: [data.length] });

/** Settings that a resumed run must share: all but how long and how often. */
function digestOf({
  steps: _,
  validateEvery: _v,
  patience: _p,
  threads: _t,
  provider: _r,
  ...rest
}: TrainingConfig): string {
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex").slice(0, 16);
}

/**
 * Trains a network and writes `model.onnx`, `model.json` (the card), `weights.safetensors`, `log.ndjson` and
 * `checkpoint.safetensors` into a folder. With the same settings and threads a run that was stopped and resumed ends with
 * the same bits as one that was not. Throws ERR_SINO_SHAPE, ERR_SINO_OUT_OF_RANGE, ERR_SINO_MODEL (diverged; the last good
 * checkpoint stays), ERR_SINO_IO, ERR_SINO_UNSUPPORTED (no onnxruntime-node); aborts with `signal.reason`.
 */
export async function train(config: TrainingConfig, options: TrainOptions): Promise<TrainResult> {
  const run = await Run.open(config, options);
  try {
    return await run.all();
  } finally {
    await run.close();
  }
}

/** The loss with the files that it names read. */
async function lossDescription({ task, loss = defaultLoss(task) }: TrainingConfig): Promise<LossDescription> {
  const { perceptual, ...rest }: NonNullable<TrainingConfig["loss"]> = loss;
  if (!perceptual) return rest;
  const model = await readFile(perceptual.model).catch((cause) => {
    throw ioError("read", perceptual.model, cause);
  });
  return { ...rest, perceptual: { model, weight: perceptual.weight } };
}

class Run {
  readonly #config: TrainingConfig;
  readonly #options: TrainOptions;
  readonly #graph: StepGraph;
  readonly #step: Session;
  readonly #loss: Session;
  readonly #dataset: Dataset;
  #state: TrainingState;
  #spare: TrainingState;
  #progress: RunProgress;
  #log: string[] = [];

  static async open(config: TrainingConfig, options: TrainOptions): Promise<Run> {
    const dataset = await readDataset(config);
    const { batch, average = 0.999, network, seed = 0 } = config;
    const graphOptions: StepGraphOptions = {
      network,
      size: { batch, size: dataset.patch, contextLength: dataset.labels.context?.length },
      loss: await lossDescription(config),
      optimizer: config.optimizer ?? {},
      average: average > 0,
      frugal: config.frugal ?? false,
      recipe: recipeOf(config, dataset),
      half: config.precision === "float16",
      teacher: config.teacher === undefined ? undefined : await loadTrained(config.teacher),
    };
    const graph = stepGraph(graphOptions);
    await makeFolder(options.folder);
    if (!options.resume && (await hasCheckpoint(options.folder)))
      throw sinoError(
        "ERR_SINO_IO",
        `${options.folder} already holds a checkpoint. Resume it, or give another output folder.`,
      );
    const n = lengthOf(graph.parameters);
    const critics = lengthOf(graph.critic);
    const make = (): TrainingState => ({
      parameters: new Float32Array(n),
      first: new Float32Array(n),
      second: new Float32Array(n),
      ...(average > 0 && { average: new Float32Array(n) }),
      ...(graph.buffers.length > 0 && { buffers: new Float32Array(lengthOf(graph.buffers)) }),
      ...(critics > 0 && {
        critic: new Float32Array(critics),
        criticFirst: new Float32Array(critics),
        criticSecond: new Float32Array(critics),
      }),
    });
    const state = make();
    const scaling = graphOptions.half ? { scaling: firstScaling } : {};
    let progress: RunProgress = { step: 0, best: null, bestStep: 0, ...scaling, digest: digestOf(config) };
    let log: string[] = [];
    if (await hasCheckpoint(options.folder)) {
      progress = await readCheckpoint(options.folder, graph, state, progress.digest);
      log = await readLog(options.folder, progress.step);
    } else {
      state.parameters.set(await initialVector(graph.parameters, n, seed));
      if (config.from !== undefined) await startFrom(config.from, graph.parameters, state.parameters);
      state.average?.set(state.parameters);
      state.buffers?.set(await initialVector(graph.buffers, state.buffers.length, seed));
      if (config.from !== undefined && state.buffers) await startFrom(config.from, graph.buffers, state.buffers);
      state.critic?.set(await initialVector(graph.critic, critics, seed + 1));
    }
    const sessionOptions = {
      ...(config.threads && { threads: config.threads }),
      ...(config.provider && { providers: [config.provider] }),
    };
    const step = await openSession(graph.model, sessionOptions);
    const loss = await openSession(lossGraph(graphOptions), sessionOptions);
    // a step writes its state over the one it read, but where gradients may overflow and the state before has to stay
    const next = graphOptions.half ? make() : state;
    return new Run(config, options, { graph, step, loss, dataset }, [state, next, progress, log]);
  }

  constructor(
    config: TrainingConfig,
    options: TrainOptions,
    parts: { graph: StepGraph; step: Session; loss: Session; dataset: Dataset },
    [state, spare, progress, log]: [TrainingState, TrainingState, RunProgress, string[]],
  ) {
    this.#config = config;
    this.#options = options;
    this.#graph = parts.graph;
    this.#step = parts.step;
    this.#loss = parts.loss;
    this.#dataset = parts.dataset;
    this.#state = state;
    this.#spare = spare;
    this.#progress = progress;
    this.#log = log;
  }

  async all(): Promise<TrainResult> {
    const data = { config: this.#config, dataset: this.#dataset };
    const ahead = new Ahead(data, this.#progress.step, this.#config.steps);
    try {
      return await this.#steps(ahead);
    } finally {
      await ahead.close();
    }
  }

  async #steps(ahead: Ahead): Promise<TrainResult> {
    const { steps, validateEvery = 200, patience } = this.#config;
    let last = Number.NaN;
    while (this.#progress.step < steps) {
      this.#options.signal?.throwIfAborted();
      const step = this.#progress.step;
      const asked = performance.now();
      const feeds = await ahead.take(step);
      const wait = (performance.now() - asked) / 1000;
      const event = { ...(await this.#one(feeds, step)), wait };
      last = event.loss;
      this.#progress = { ...this.#progress, step: step + 1 };
      const isPause = (step + 1) % validateEvery === 0 || step + 1 === steps;
      const validation = isPause ? await this.#validate() : undefined;
      this.#report(validation === undefined ? event : { ...event, validation });
      if (isPause) await this.#save();
      if (patience && step + 1 - this.#progress.bestStep >= patience * validateEvery) break;
      await nextTurn();
    }
    const model = await this.#export();
    const { step, best, bestStep, scaling } = this.#progress;
    return { steps: step, loss: last, best, bestStep, ...(scaling && { skipped: scaling.skipped }), model };
  }

  async #one(feeds: Record<string, Values>, step: number): Promise<Omit<TrainingEvent, "wait">> {
    const { steps, optimizer = {}, schedule, average = 0.999 } = this.#config;
    const { scaling } = this.#progress;
    const started = performance.now();
    const rate = (optimizer.rate ?? 1e-3) * rateFactor(step, steps, schedule);
    const [correction1, correction2] = corrections(step + 1 - (scaling?.skipped ?? 0), optimizer);
    const into: Record<string, Values> = {};
    for (const [name, data] of Object.entries(this.#spare)) into[`next_${name}`] = vector(data);
    const results = await this.#step.run(
      {
        ...feeds,
        ...this.#stateFeeds(),
        rate: scalar(rate),
        correction1: scalar(correction1),
        correction2: scalar(correction2),
        ...(scaling && { scale: scalar(scaling.scale) }),
        // early on the average follows quickly, else it would remember the start
        keep: scalar(Math.min(average, (1 + step) / (10 + step))),
      },
      into,
    );
    const loss = results["loss"]!.data[0] as number;
    const norm = results["norm"]!.data[0] as number;
    const isGood = Number.isFinite(loss) && Number.isFinite(norm);
    const scaled = scaling && (isGood ? afterGood(scaling) : afterOverflow(scaling));
    if (!isGood && !scaled) {
      const kept = (await hasCheckpoint(this.#options.folder))
        ? "The last good checkpoint is kept"
        : "Nothing was saved yet";
      throw sinoError(
        "ERR_SINO_MODEL",
        `Training diverged at step ${step + 1}: loss ${loss}, gradient norm ${norm}. ${kept}; try a lower rate or a smaller clip.`,
        { details: { step: step + 1, loss, norm } },
      );
    }
    // a step whose gradients overflowed leaves everything but the loss's factor as it was
    if (isGood) [this.#state, this.#spare] = [this.#spare, this.#state];
    if (scaled) this.#progress = { ...this.#progress, scaling: scaled };
    const half = scaling && scaled ? { lossScale: scaling.scale, skipped: scaled.skipped } : {};
    const critic = results["criticLoss"]?.data[0] as number | undefined;
    const both = { loss, norm, ...(critic !== undefined && { critic }) };
    return { step: step + 1, steps, ...both, rate, seconds: (performance.now() - started) / 1000, ...half };
  }

  #stateFeeds(): Record<string, Values> {
    return Object.fromEntries(Object.entries(this.#state).map(([name, data]) => [name, vector(data as Float32Array)]));
  }

  /**
   * Validates, and keeps the weights where they are better. Against a critic they are kept in any case: what it asks for is not in the
   * loss of validation, which rises while it is learned.
   */
  async #validate(): Promise<number | undefined> {
    const parameters = vector(this.#state.average ?? this.#state.parameters);
    const buffers = this.#state.buffers ? { buffers: vector(this.#state.buffers) } : {};
    let sum = 0;
    let count = 0;
    for await (const batch of new Batches(this.#config, this.#dataset).validation()) {
      const { loss } = await this.#loss.run({ ...batch.feeds, parameters, ...buffers });
      sum += (loss!.data[0] as number) * this.#config.batch;
      count += batch.count;
    }
    if (count === 0) return undefined;
    const value = sum / count;
    const isLast = this.#config.loss?.adversarial !== undefined;
    if (isLast || this.#progress.best === null || value < this.#progress.best) {
      this.#progress = { ...this.#progress, best: value, bestStep: this.#progress.step };
      await this.#writeWeights();
    }
    return value;
  }

  #report(event: TrainingEvent): void {
    this.#log.push(JSON.stringify(event));
    this.#options.onEvent?.(event);
  }

  async #save(): Promise<void> {
    const { folder } = this.#options;
    await writeFileAtomic(join(folder, "log.ndjson"), `${this.#log.join("\n")}\n`);
    const events = this.#log.map((line) => JSON.parse(line) as TrainingEvent);
    await writeFileAtomic(join(folder, "report.html"), trainingPage(this.#config, events));
    await writeCheckpoint(folder, this.#graph, this.#state, this.#progress);
  }

  async #writeWeights(): Promise<void> {
    const tensors = namedWeights(this.#graph, this.#state);
    const metadata = { network: JSON.stringify(this.#config.network), step: String(this.#progress.step) };
    for (const { folder, prefix } of exportsOf(this.#config, this.#options.folder)) {
      await makeFolder(folder);
      const own = [...tensors].filter(([name]) => name.startsWith(prefix));
      await writeSafetensors(join(folder, "weights.safetensors"), {
        tensors: new Map(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])),
        metadata,
      });
    }
  }

  async #export(): Promise<string> {
    if (this.#progress.best === null) await this.#writeWeights();
    const { patch, labels } = this.#dataset;
    const size = { batch: 1, size: patch, contextLength: labels.context?.length };
    const models: string[] = [];
    for (const { folder, config } of exportsOf(this.#config, this.#options.folder))
      models.push(await exportModel(config, folder, size, this.#progress));
    return models[0]!;
  }

  async close(): Promise<void> {
    await this.#step.close();
    await this.#loss.close();
  }
}

/** What a run leaves to be used: its network; of two that undo each other the other one, too, in the folder `back`. */
function exportsOf(config: TrainingConfig, folder: string) {
  if (config.task !== "unpaired") return [{ folder, config, prefix: "" }];
  const { name = "network", data } = config;
  const back = { ...config, name: `${name}-back`, data: { ...data, input: data.target!, target: data.input } };
  const [there, again] = ways.map((way) => `${way}.`) as [string, string];
  return [
    { folder, config, prefix: there },
    { folder: join(folder, "back"), config: back, prefix: again },
  ];
}

/** Puts the weights of a file into a vector; of two networks into both. Throws ERR_SINO_MODEL where the file is another network's. */
async function startFrom(path: string, specs: readonly ParameterSpec[], vector: Float32Array): Promise<void> {
  const { tensors } = await readSafetensors(path);
  for (const [name, part] of views(specs, vector)) {
    const data = tensors.get(name.replace(/^(a2b|b2a)\./, ""))?.data;
    if (data?.length !== part.length)
      throw sinoError(
        "ERR_SINO_MODEL",
        `${path} expected ${part.length} values for ${name} but holds ${data?.length ?? "none"}: it belongs to another network.`,
        { details: { path, name } },
      );
    part.set(data);
  }
}

/** Lines of the log up to a step: what a killed run wrote behind its checkpoint is done again. */
async function readLog(folder: string, step: number): Promise<string[]> {
  const text = await readFile(join(folder, "log.ndjson"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line && (JSON.parse(line) as TrainingEvent).step <= step);
}
