/** Every example in examples/embedding runs and does what it says. */
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tsImport } from "tsx/esm/api";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import type { Geometry } from "../../lib/tomography/geometry.ts";
import { parseGeometry } from "../../lib/tomography/geometry-file.ts";
import { assertClose } from "../support/assert-close.ts";
import { smallGeometry, writeSeries } from "../support/batch.ts";
import { ended } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-embedding");
const examples = join(import.meta.dirname, "../../examples/embedding");
const tsconfig = join(examples, "tsconfig.json");
const folder = temporaryFolder();
writeSeries(folder, 2, { slices: 3, size: 48 });

interface Line {
  isFull: boolean;
}
interface ServiceModule {
  Line: new (options: { running: number; waiting: number }) => Line;
  reconstructionHandler(geometry: Geometry, options: { line?: Line; mostSlices?: number }): RequestListener;
  warmUp(geometry: Geometry): Promise<void>;
}
/** With "sinogram" standing for the sources. */
const load = <T>(name: string) =>
  tsImport(join(examples, name), { parentURL: import.meta.url, tsconfig }) as Promise<T>;

/** Runs an example as its comment says. */
function run(name: string, ...args: string[]) {
  const env = { ...process.env, TSX_TSCONFIG_PATH: tsconfig };
  return ended(spawn(process.execPath, ["--import", "tsx", join(examples, name), ...args], { env }));
}

const geometry = parseGeometry(smallGeometry);
const sinograms = (slices: number) => Float32Array.from({ length: slices * 31 * 47 }, (_, i) => (i % 97) / 50);

async function listen(handler: RequestListener) {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const post = (body: Uint8Array) => fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: new Uint8Array(body) });
  return { server, port, post };
}
const bytesOf = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

test("service: images as fbp makes them; what does not fit is refused in words", async () => {
  const { reconstructionHandler } = await load<ServiceModule>("service.mjs");
  const { server, post } = await listen(reconstructionHandler(geometry, { mostSlices: 5 }));
  const answer = await post(bytesOf(sinograms(5)));
  assert.is(answer.status, 200);
  const images = new Float32Array(await answer.arrayBuffer());
  assertClose(images, (await fbp(volume(sinograms(5), [5, 31, 47]), geometry)).data, { atol: 1e-6 });
  assert.is((await post(new Uint8Array(10))).status, 400);
  assert.match((await (await post(new Uint8Array(10))).json()).error, /31 views of 47 float32/);
  assert.is((await post(bytesOf(sinograms(6)))).status, 413);
  const bad = sinograms(1).fill(Number.NaN);
  const broken = await post(bytesOf(bad)).then(
    (response) => response.arrayBuffer(),
    () => "broken",
  );
  assert.is(await Promise.resolve(broken).catch(() => "broken"), "broken");
  server.close();
});

test("service: back-pressure as 503 with Retry-After; a client that hangs up ends its job", async () => {
  const { Line, reconstructionHandler, warmUp } = await load<ServiceModule>("service.mjs");
  const large = parseGeometry({ ...smallGeometry, image: { shape: [512, 512], pixelMm: 0.1 } });
  await warmUp(large);
  const line = new Line({ running: 1, waiting: 0 });
  const { server, port, post } = await listen(reconstructionHandler(large, { line }));
  // a client that takes the head of 64 MB and reads no further: the job waits for it, and nobody else gets in
  const slow = request({ port, host: "127.0.0.1", method: "POST" });
  slow.on("error", () => undefined);
  slow.end(bytesOf(sinograms(64)));
  const [response] = (await once(slow, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  assert.ok(line.isFull);
  const refused = await post(bytesOf(sinograms(1)));
  assert.is(refused.status, 503);
  assert.is(refused.headers.get("retry-after"), "2");
  await sleep(300);
  assert.ok(line.isFull, "the job did not wait for its slow client");
  slow.destroy();
  for (let i = 0; i < 200 && line.isFull; i++) await sleep(20);
  assert.not.ok(line.isFull, "the job outlived its client");
  const next = await post(bytesOf(sinograms(1)));
  assert.is(next.status, 200);
  assert.is((await next.arrayBuffer()).byteLength, 512 * 512 * 4);
  server.close();
});

test("worker: reconstructs from shared memory, and can be cancelled", async () => {
  const { code, stdout, stderr } = await run("worker.mjs");
  assert.is(code, 0, stderr);
  assert.match(stdout, /image of 256 × 256, centre \d/);
  interface Engine {
    fbp(
      array: object,
      geometry: object,
      options?: { signal?: AbortSignal },
    ): Promise<{ data: Float32Array; shape: number[] }>;
    close(): Promise<number>;
  }
  const { Engine } = await load<{ Engine: new () => Engine }>("worker.mjs");
  const engine = new Engine();
  const array = { data: sinograms(2), shape: [2, 31, 47] };
  const { data, shape } = await engine.fbp(array, smallGeometry);
  assert.equal(shape, [2, 32, 32]);
  assertClose(data, (await fbp(volume(array.data, array.shape), geometry)).data, { atol: 1e-6 });
  const long = { data: sinograms(400), shape: [400, 31, 47] };
  const image = { shape: [512, 512], pixelMm: 0.1 };
  const controller = new AbortController();
  const job = engine.fbp(long, { ...smallGeometry, image }, { signal: controller.signal });
  controller.abort();
  assert.is(await job.catch((error) => error.code), "ABORTED");
  assert.is(
    await engine.fbp({ data: sinograms(1), shape: [31, 40] }, smallGeometry).catch((error) => error.code),
    "ERR_SINO_SHAPE",
  );
  await engine.close();
});

test("engine: speaks Electron's dialect too, with memory that can be handed over", async () => {
  const port = Object.assign(new EventEmitter(), { postMessage: (message: object) => sent.push(message) });
  const sent: object[] = [];
  Object.assign(process, { parentPort: port }); // what Electron gives a utility process
  await load("engine.mjs");
  port.emit("message", { data: { id: 7, kind: "fbp", data: sinograms(1), shape: [31, 47], geometry: smallGeometry } });
  const result = () => sent.find((message) => (message as { kind: string }).kind === "result");
  for (let i = 0; i < 200 && !result(); i++) await sleep(10);
  const { id, data, shape } = result() as { id: number; data: Float32Array<ArrayBuffer>; shape: number[] };
  assert.is(id, 7);
  assert.equal(shape, [32, 32]);
  assert.is(structuredClone(data, { transfer: [data.buffer] }).length, 1024);
  assert.is(data.length, 0);
});

test("stream-series: one line per slice, metal where it is", async () => {
  const { code, stdout, stderr } = await run("stream-series.mjs", join(folder, "patient0"));
  assert.is(code, 0, stderr);
  const lines = stdout.trim().split("\n");
  assert.is(lines.length, 3);
  assert.match(lines[0]!, /^slice 1: 48 × 48, 0 pixels/);
  assert.match(lines[1]!, /^slice 2: 48 × 48, [1-9]\d* pixels/);
});

test("batch: does all of a folder once, then nothing", async () => {
  const output = join(temporaryFolder(), "out");
  const first = await run("batch.mjs", folder, output);
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /2 done, 0 done before, 0 failed/);
  const second = await run("batch.mjs", folder, output);
  assert.match(second.stdout, /0 done, 2 done before, 0 failed/);
});

test.run();
