/** sinogram as a contender: the same protocol as the Python peers (protocol.ts), in a process of its own so that SINOGRAM_THREADS holds. */
import { createInterface } from "node:readline";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readSeries } from "../../lib/data/dicom/read.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { distanceTransform } from "../../lib/image/distance.ts";
import { addon } from "../../lib/native/addon.ts";
import { backproject, fbp } from "../../lib/tomography/fbp.ts";
import { type IterativeMethod, iterative } from "../../lib/tomography/iterative.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import type { Route } from "../../lib/tomography/route.ts";
import type { CaseData, Request, Timing } from "./protocol.ts";
import { geometryOf, type Scan } from "./scans.ts";

type Call = () => Promise<Volume>;
type Prepare = (data: CaseData, input: Volume, route: string) => Promise<Call>;

/** Operations on a scan write into one output again and again, as a service would. */
function onScan(operation: typeof fbp): Prepare {
  return async (data, input, route) => {
    const geometry = geometryOf(data as Scan);
    const options = route === "direct" ? {} : { route: route as Route };
    const out = await operation(input, geometry, options);
    return () => operation(input, geometry, { ...options, out });
  };
}

const iteratively =
  (method: IterativeMethod): Prepare =>
  async (data, input, route) => {
    const geometry = geometryOf(data as Scan);
    const { iterations = 1, relaxation } = data;
    const subsets = method === "os-sart" ? geometry.angles.length : undefined; // one view at a time: SART
    const options = {
      method,
      iterations,
      relaxation,
      subsets,
      ...(route === "direct" ? {} : { route: route as Route }),
    };
    const { image: out } = await iterative(input, geometry, options);
    return async () => (await iterative(input, geometry, { ...options, out })).image;
  };

const operations: Record<string, Prepare> = {
  sirt: iteratively("sirt"),
  cgls: iteratively("cgls"),
  sart: iteratively("os-sart"),
  project: onScan(project),
  transpose: onScan(projectTranspose),
  backproject: onScan(backproject),
  fbp: onScan(fbp),
  distance: async (data, input) => {
    const shape = data.slice ?? [];
    const options = { dimensions: shape.length as 2 | 3 };
    const mask = volume(input.data, shape);
    return async () => (await distanceTransform(mask, options)).distances;
  },
  "read-series": async (data) => {
    const buffer = new Float32Array(data.slice!.reduce((product, n) => product * n, 1));
    return async () => (await readSeries(data.folder!, { buffer })).volume;
  },
};

/** Elements; bench/python/worker.py has the same limit. */
const whole = 2 ** 25;
/** What is prepared, by operation. */
const calls = new Map<string, Call>();

async function prepare(request: Request & { do: "prepare" }): Promise<object> {
  const [name = "", route = "direct"] = request.operation.split(":"); // "fbp" or "fbp:fourier"
  const operation = operations[name];
  if (!operation) throw new Error(`sinogram has no operation ${request.operation} here`);
  const input = request.input ? (await readNpy(request.input)).array : volume(new Float32Array(0), [0]);
  calls.set(request.operation, await operation(request.case, input as Volume, route));
  return {};
}

function prepared(operation: string): Call {
  const call = calls.get(operation);
  if (!call) throw new Error(`${operation} is not prepared`);
  return call;
}

async function run(call: Call, repeat: number): Promise<Timing> {
  const timing: Timing = { wall: [], cpu: [] };
  for (let i = 0; i < repeat; i++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    await call();
    timing.wall.push(performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    timing.cpu.push((user + system) / 1000);
  }
  return timing;
}

/** The result as a batch of slices: all of them, or of a large one the first and the last. */
async function save(call: Call, output: string): Promise<object> {
  const result = await call();
  const [rows, columns] = result.shape.slice(-2) as [number, number];
  const length = rows * columns;
  let { data } = result;
  if (data.length > whole) {
    const ends = new Float32Array(2 * length);
    ends.set(data.subarray(0, length));
    ends.set(data.subarray(data.length - length), length);
    data = ends;
  }
  await writeNpy(output, volume(data, [data.length / length, rows, columns]));
  return {};
}

async function answer(request: Request): Promise<object> {
  if (request.do === "describe") {
    const { simd, compiler } = addon().describe();
    return { versions: { node: process.version, simd, compiler } };
  }
  if (request.do === "prepare") return prepare(request);
  if (request.do === "run") return run(prepared(request.operation), request.repeat);
  if (request.do === "save") return save(prepared(request.operation), request.output);
  calls.clear();
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply: object;
  try {
    reply = await answer(JSON.parse(line) as Request);
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
