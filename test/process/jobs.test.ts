/** Jobs as a process sees them: abort, progress, exit, workers, and an event loop that stays free. */
import { spawn } from "node:child_process";
import { getEventListeners } from "node:events";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { statistics } from "../../lib/image/pixels.ts";
import type { Progress } from "../../lib/native/job.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fullScan, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project } from "../../lib/tomography/project.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("jobs");
const root = resolve(import.meta.dirname, "../..");

const geometry = parallelBeam({
  bins: 729,
  binMm: 1,
  angles: fullScan(1440),
  image: { shape: [512, 512], pixelMm: 1 },
});
// long enough to be caught in the middle: several seconds on two cores
const long = () => volume(new Float32Array(40 * 512 * 512), [40, 512, 512]);

test("abort rejects with the signal's own reason, soon", async () => {
  const controller = new AbortController();
  const reason = { why: "changed my mind" };
  let aborted = 0;
  const job = project(long(), geometry, { signal: controller.signal });
  setTimeout(() => {
    aborted = performance.now();
    controller.abort(reason);
  }, 150);
  try {
    await job;
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
  assert.ok(performance.now() - aborted < 1000, "took over a second"); // 50 ms is measured in bench/, tests assert no timing
});

test("an already aborted signal starts nothing", async () => {
  try {
    await project(long(), geometry, { signal: AbortSignal.abort("no") });
    assert.unreachable();
  } catch (error) {
    assert.is(error, "no");
  }
});

test("many jobs of one signal listen once, and no longer than they run", async () => {
  const { signal } = new AbortController();
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on("warning", warn);
  const images = volume(new Float32Array(64), [1, 8, 8]);
  const jobs = Array.from({ length: 20 }, () => statistics(images, { signal }));
  await Promise.all(jobs);
  await new Promise((resolve) => setImmediate(resolve)); // warnings come a turn later
  process.off("warning", warn);
  assert.equal(warnings, []);
  assert.is(getEventListeners(signal, "abort").length, 0);
});

test("abort of a job that still waits for others does not wait for them", async () => {
  const controller = new AbortController();
  const settled: string[] = [];
  const earlier = [1, 2, 3, 4].map(() =>
    project(long(), geometry, { signal: controller.signal }).catch(() => settled.push("earlier")),
  );
  const last = new AbortController();
  const waiting = project(volume(new Float32Array(512 * 512), [512, 512]), geometry, { signal: last.signal });
  setTimeout(() => last.abort("mine"), 20);
  await waiting.then(
    () => assert.unreachable(),
    (reason) => settled.push(reason),
  );
  controller.abort();
  await Promise.all(earlier);
  assert.equal(settled, ["mine", "earlier", "earlier", "earlier", "earlier"]);
});

test("progress grows and ends with done === total", async () => {
  const events: Progress[] = [];
  const sinograms = volume(new Float32Array(8 * 1440 * 729), [8, 1440, 729]);
  await fbp(sinograms, geometry, { onProgress: (event) => events.push(event) });
  assert.ok(events.length >= 2);
  for (let i = 1; i < events.length; i++) assert.ok(events[i]!.done > events[i - 1]!.done);
  const last = events.at(-1)!;
  assert.is(last.done, last.total);
  assert.ok(events.slice(0, -1).every((event) => event.done < event.total));
});

test("a progress callback that throws rejects the job with what it threw", async () => {
  for (const thrown of [new Error("from the callback"), undefined]) {
    let caught: unknown = "nothing";
    await project(long(), geometry, {
      onProgress: () => {
        throw thrown;
      },
    }).catch((error) => {
      caught = error;
    });
    assert.is(caught, thrown);
  }
});

test("file reads are not delayed by running jobs", async () => {
  const controller = new AbortController();
  const jobs = [1, 2, 3, 4].map(() => project(long(), geometry, { signal: controller.signal }).catch(() => undefined));
  for (let i = 0; i < 20; i++) await readFile(join(root, "package.json"));
  controller.abort();
  await Promise.all(jobs);
});

function run(code: string, env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    child.on("exit", (code) => done({ code, out, err }));
  });
}

const small = `
  import { project } from "./lib/tomography/project.ts";
  import { parallelBeam } from "./lib/tomography/geometry.ts";
  const geometry = parallelBeam({ bins: 100, binMm: 1, angles: { span: 180, count: 60 }, image: { shape: [64, 64], pixelMm: 1 } });
  const image = { data: new Float32Array(64 * 64).fill(1), shape: [64, 64] };
`;

test("a script that used the addon exits by itself", async () => {
  const result = await run(`${small} const s = await project(image, geometry); console.log(s.shape.join());`);
  assert.is(result.code, 0, result.err);
  assert.is(result.out.trim(), "60,100");
});

test("a pending job keeps the process alive until it is done, also without await", async () => {
  const result = await run(`${small} project(image, geometry).then(() => console.log("done"));`);
  assert.is(result.code, 0, result.err);
  assert.is(result.out.trim(), "done");
});

test("twenty thousand short jobs, settled while sixteen threads finish others", async () => {
  const result = await run(
    `${small}
    const tiny = parallelBeam({ bins: 3, binMm: 1, angles: [0], image: { shape: [2, 2], pixelMm: 1 } });
    const pixel = { data: new Float32Array(4), shape: [2, 2] };
    for (let i = 0; i < 200; i++) await Promise.all(Array.from({ length: 100 }, () => project(pixel, tiny)));
    console.log("done");`,
    { SINOGRAM_THREADS: "16" },
  );
  assert.is(result.code, 0, result.err);
  assert.is(result.out.trim(), "done");
});

test("process.exit in the middle of a job ends cleanly", async () => {
  const result = await run(`${small}
    const big = { data: new Float32Array(20 * 64 * 64 * 64), shape: [20 * 64, 64, 64] };
    project(big, geometry); setTimeout(() => process.exit(7), 30);`);
  assert.is(result.code, 7, result.err);
});

test("workers load the addon, run jobs at once, and can be terminated in the middle of one", async () => {
  const code = `
    const { parentPort } = require("node:worker_threads");
    import("tsx/esm/api").then(async ({ register }) => {
      register();
      const { project } = await import("${join(root, "lib/tomography/project.ts")}");
      const { parallelBeam } = await import("${join(root, "lib/tomography/geometry.ts")}");
      const geometry = parallelBeam({ bins: 729, binMm: 1, angles: { span: 180, count: 720 }, image: { shape: [512, 512], pixelMm: 1 } });
      const one = await project({ data: new Float32Array(512 * 512).fill(0.01), shape: [512, 512] }, geometry);
      parentPort.postMessage(one.data[360 * 729 + 364]);
      for (;;) await project({ data: new Float32Array(16 * 512 * 512), shape: [16, 512, 512] }, geometry);
    });`;
  const workers = [0, 1, 2].map(() => new Worker(code, { eval: true }));
  const values = await Promise.all(
    workers.map((worker) => new Promise<number>((done, fail) => worker.once("message", done).once("error", fail))),
  );
  assert.ok(
    values.every((value) => Math.abs(value - 5.12) < 1e-3),
    String(values),
  );
  await new Promise((done) => setTimeout(done, 60));
  for (const worker of workers) await worker.terminate();
  // and this thread still works
  const again = await project(volume(new Float32Array(512 * 512), [512, 512]), geometry);
  assert.is(again.data[0], 0);
});

test("workers can be terminated while they hear of progress", async () => {
  // in a process of its own: what can go wrong ends the process
  const worker = `import("tsx/esm/api").then(async ({ register }) => {
    register();
    const { project } = await import("${join(root, "lib/tomography/project.ts")}");
    const { parallelBeam } = await import("${join(root, "lib/tomography/geometry.ts")}");
    const geometry = parallelBeam({ bins: 100, binMm: 1, angles: { span: 180, count: 60 }, image: { shape: [64, 64], pixelMm: 1 } });
    const onProgress = () => { for (const until = performance.now() + 3; performance.now() < until; ); };
    require("node:worker_threads").parentPort.postMessage("up");
    const images = { data: new Float32Array(16 * 64 * 64), shape: [16, 64, 64] };
    for (;;) await Promise.all([1, 2, 3, 4].map(() => project(images, geometry, { onProgress })));
  });`;
  const result = await run(`
    import { Worker } from "node:worker_threads";
    for (let i = 0; i < 20; i++) {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] });
      await new Promise((done, fail) => worker.once("message", done).once("error", fail));
      await new Promise((done) => setTimeout(done, 5 + 7 * (i % 5)));
      await worker.terminate();
    }
    console.log("alive");`);
  assert.is(result.code, 0, result.err);
  assert.is(result.out.trim(), "alive");
});

test("one thread and every instruction set give results within rounding", async () => {
  const code = `${small}
    const next = ((s) => () => (s = (s * 16807) % 2147483647) / 2147483647)(42);
    for (let i = 0; i < image.data.length; i++) image.data[i] = next();
    const s = await project(image, geometry); console.log(s.data.reduce((a, b) => a + b, 0));`;
  const reference = Number((await run(code)).out);
  for (const env of [{ SINOGRAM_THREADS: "1" }, { SINOGRAM_SIMD: "baseline" }]) {
    const result = await run(code, env);
    assert.is(result.code, 0, result.err);
    assert.ok(
      Math.abs(Number(result.out) / reference - 1) < 1e-6,
      `${JSON.stringify(env)}: ${result.out} ${reference}`,
    );
  }
});

test.run();
