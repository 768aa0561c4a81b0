/** Tables and working memory made once, for many calls on one geometry. */
import { type ArrayLike, type Volume, volume } from "../core/arrays.ts";
import { show, sinoError } from "../core/errors.ts";
import { addon } from "../native/addon.ts";
import { fromNative, type JobOptions, type OperationOptions, runJob } from "../native/job.ts";
import { type OutputOptions, sinogramShape } from "./batch.ts";
import type { Geometry } from "./geometry.ts";
import { type FilterChoice, operate, type Sides, tablesOf } from "./operate.ts";
import { operationOf, type Route, type RouteOptions } from "./route.ts";

const sides = {
  project: { from: "images", to: "sinograms" },
  projectTranspose: { from: "sinograms", to: "images" },
  fbp: { from: "sinograms", to: "images" },
  filterViews: { from: "sinograms", to: "filtered" },
  backproject: { from: "filtered", to: "images" },
} as const satisfies Record<string, Sides>;

export type PlannedOperation = keyof typeof sides;

export interface PlanOptions extends FilterChoice, RouteOptions, JobOptions {
  /** Whose tables are made at once, not at their first call; default ["fbp"]. */
  operations?: readonly PlannedOperation[] | undefined;
}

type CallOptions = OperationOptions & OutputOptions;

/** Plans that were forgotten instead of disposed give their memory back when they are collected. */
const forgotten = new FinalizationRegistry<number>((id) => addon().dropPlan(id));

class Plan {
  readonly geometry: Geometry;
  /** Of `fbp`, and of `project` and `projectTranspose` where they have it: else they go "direct". */
  readonly route: Route;
  #id: number | undefined;
  #disposed = false;
  #calls = 0;

  constructor(geometry: Geometry, { route = "direct", ...filter }: FilterChoice & RouteOptions) {
    const { native } = tablesOf(geometry, filter);
    operationOf("fbp", geometry, route);
    this.geometry = geometry;
    this.route = route;
    try {
      this.#id = addon().makePlan(native);
    } catch (error) {
      throw fromNative(error);
    }
    forgotten.register(this, this.#id, this);
  }

  /** As `project`. */
  project(images: ArrayLike, options: CallOptions = {}): Promise<Volume> {
    return this.run("project", images, options);
  }

  /** As `projectTranspose`. */
  projectTranspose(sinograms: ArrayLike, options: CallOptions = {}): Promise<Volume> {
    return this.run("projectTranspose", sinograms, options);
  }

  /** As `fbp`. */
  fbp(sinograms: ArrayLike, options: CallOptions = {}): Promise<Volume> {
    return this.run("fbp", sinograms, options);
  }

  /** As `filterViews`. */
  filterViews(sinograms: ArrayLike, options: CallOptions = {}): Promise<Volume> {
    return this.run("filterViews", sinograms, options);
  }

  /** As `backproject`. */
  backproject(filtered: ArrayLike, options: CallOptions = {}): Promise<Volume> {
    return this.run("backproject", filtered, options);
  }

  /** Any of the operations by name. Rejects with ERR_SINO_DISPOSED after `dispose`, and as the operation does. */
  run(operation: PlannedOperation, array: ArrayLike, options: CallOptions = {}): Promise<Volume> {
    return this.#use((native) => {
      const tables = { geometry: this.geometry, native };
      return operate(this.#native(operation), tables, array, sides[operation], options);
    });
  }

  /** A native job of several projections and reconstructions, by this plan's routes. @internal */
  pipeline(job: string, parameters: object, options: OperationOptions): Promise<Record<string, number>> {
    const routes = { project: this.#native("project"), fbp: this.#native("fbp") };
    const device = options.device ?? "auto";
    return this.#use((native) => runJob(job, { device, ...parameters, ...routes, ...native }, options));
  }

  async #use<Result>(call: (native: { plan: number }) => Promise<Result>): Promise<Result> {
    if (this.#disposed || this.#id === undefined)
      throw sinoError("ERR_SINO_DISPOSED", "The plan was disposed; make another one with createPlan.");
    this.#calls++;
    try {
      return await call({ plan: this.#id });
    } finally {
      this.#calls--;
      this.#drop();
    }
  }

  /** Gives tables and working memory back, once calls under way are done. A second time does nothing. */
  dispose(): void {
    this.#disposed = true;
    this.#drop();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #drop(): void {
    if (!this.#disposed || this.#calls > 0 || this.#id === undefined) return;
    forgotten.unregister(this);
    addon().dropPlan(this.#id);
    this.#id = undefined;
  }

  #native(operation: PlannedOperation): string {
    if (operation === "filterViews") return "filter";
    if (operation === "backproject") return operation;
    const rebinned = this.route === "rebinned" && operation !== "fbp";
    return operationOf(operation, this.geometry, rebinned ? "direct" : this.route);
  }
}

export type { Plan };

/**
 * Makes what projection and reconstruction work out from geometry, filter and route alone (filter response and weights,
 * rays, rebinning tables, the Fourier grid's tables), once for many calls: results are bit for bit those of the plain functions.
 * Any number of calls may be under way at once. Working memory is kept between calls, up to 128 MiB, and counted in the budget;
 * `dispose` (or `using`) gives everything back.
 * Throws as `fbp` does; ERR_SINO_OUT_OF_MEMORY.
 *
 * @example
 * const plan = await createPlan(geometry, { filter: "hann" });
 * for await (const sinogram of arriving) show(await plan.fbp(sinogram));
 * plan.dispose();
 */
export async function createPlan(geometry: Geometry, options: PlanOptions = {}): Promise<Plan> {
  const { operations = ["fbp"], signal, onProgress, ...choice } = options;
  const plan = new Plan(geometry, choice);
  try {
    // a call on no slices makes the tables and does nothing else
    for (const operation of operations) {
      if (!Object.hasOwn(sides, operation))
        throw sinoError(
          "ERR_SINO_OUT_OF_RANGE",
          `Expected operations out of ${Object.keys(sides).join(", ")} but received ${show(operation)}.`,
        );
      const shape = sides[operation].from === "images" ? geometry.image.shape : sinogramShape(geometry);
      await plan.run(operation, volume(new Float32Array(0), [0, ...shape]), { signal, onProgress });
    }
  } catch (error) {
    plan.dispose();
    throw error;
  }
  return plan;
}
