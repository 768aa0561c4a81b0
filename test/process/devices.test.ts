/**
 * Devices by name, through the whole stack: what is not there is an error that says what was found, "auto" never fails for lack of a
 * GPU, and where there is one, its results are the processor's.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { addon } from "../../lib/native/addon.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project } from "../../lib/tomography/project.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("devices");
const { devices, cuda } = addon().describe();
const gpu = devices.find(({ name, usable }) => name.startsWith("cuda:") && usable);
const reason = devices.find(({ name }) => name.startsWith("cuda"))?.reason ?? "";
const onGpu = test.skipUnless(gpu, `no CUDA device here: ${reason}`);
const withoutGpu = test.skipUnless(!gpu, "there is a CUDA device here");

const image = { shape: [24, 20], pixelMm: 1 } as const;
const geometry = parallelBeam({ bins: 33, binMm: 1, angles: { span: 180, count: 24 }, image });
const sinogram = volume(randomFloats(2 * 24 * 33, 1), [2, 24, 33]);

function collectGarbage() {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

test("devices are listed with what keeps them from being used", () => {
  assert.is(devices[0]?.name, "cpu");
  assert.ok(devices[0]?.usable);
  assert.ok(devices.length > 1);
  for (const { usable, reason: why } of devices) assert.is(usable, why === "");
});

test("names that no device has", async () => {
  for (const device of ["gpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:1e1", "CUDA:0", ""])
    await assertRejects(() => fbp(sinogram, geometry, { device: device as never }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => fbp(sinogram, geometry, { device: 3 as never }), "ERR_SINO_ARG_TYPE");
});

test("a device that is not there is refused, again and again, and the processor goes on", async () => {
  for (const device of ["cuda:31", "cuda:31", "cuda:999"] as const) {
    const error = await assertRejects(() => fbp(sinogram, geometry, { device }), "ERR_SINO_BACKEND_UNAVAILABLE");
    assert.match(error.message, device);
  }
  await fbp(sinogram, geometry, { device: "cpu" });
});

withoutGpu("the error says why there is none, and what to do", async () => {
  const error = await assertRejects(
    () => fbp(sinogram, geometry, { device: "cuda:0" }),
    "ERR_SINO_BACKEND_UNAVAILABLE",
  );
  assert.match(error.message, cuda ? /driver|device/ : "built without CUDA");
  assert.match(error.message, '"cpu"');
});

test("a job for a device that waits behind others can be aborted", async () => {
  const abort = new AbortController();
  const calls = Array.from({ length: 3 }, () => fbp(sinogram, geometry, { device: "cuda:31", signal: abort.signal }));
  abort.abort(new Error("enough"));
  for (const call of await Promise.allSettled(calls)) assert.is(call.status, "rejected");
});

for (const device of gpu ? (["cpu", "cuda:0"] as const) : (["cpu"] as const))
  test(`arrays that their owner drops or hands on while a job runs, ${device}`, async () => {
    const values = randomFloats(200 * 24 * 33, 4);
    const array = () => volume(values.slice(), [200, 24, 33]);
    const expected = await fbp(array(), geometry, { device });
    const handed = array();
    const jobs = [handed, array(), array(), array()].map((sinograms) => fbp(sinograms, geometry, { device }));
    await nextTurn(); // they are under way
    const elsewhere = structuredClone(handed.data, { transfer: [handed.data.buffer] });
    collectGarbage();
    for (const result of await Promise.all(jobs)) assert.equal(result.data, expected.data);
    assert.is(elsewhere.length, values.length);
  });

test("auto works with and without a GPU, beyond the size from which it takes one", async () => {
  const large = parallelBeam({
    bins: 400,
    binMm: 1,
    angles: { span: 180, count: 400 },
    image: { shape: [256, 256], pixelMm: 1 },
  });
  const sinograms = volume(randomFloats(40 * 400 * 400, 2), [40, 400, 400]);
  const [auto, cpu] = await Promise.all([
    fbp(sinograms, large, { route: "direct" }),
    fbp(sinograms, large, { route: "direct", device: "cpu" }),
  ]);
  if (!gpu) assert.is(Buffer.compare(Buffer.from(auto.data.buffer), Buffer.from(cpu.data.buffer)), 0);
  // two orders of float32 sums over 400 views of noise
  else assertClose(auto.data, cpu.data, { atol: 1e-4 });
});

onGpu("projection and FBP are the processor's", async () => {
  const fan = fanBeam({ detector: "flat", sod: 80, sdd: 150, bins: 51, binMm: 1.1, angles: fullScan(40), image });
  const images = volume(randomFloats(5 * 24 * 20, 3), [5, 24, 20]);
  for (const g of [geometry, fan]) {
    const [here, there] = await Promise.all([
      project(images, g, { device: "cpu" }),
      project(images, g, { device: "cuda:0" }),
    ]);
    // float32 sums of 24 pixels up to 1, in another order
    assertClose(there.data, here.data, { atol: 2e-5 });
    const back = await Promise.all([fbp(here, g, { device: "cpu" }), fbp(here, g, { device: "cuda:0" })]);
    // filtered views of up to 20, summed over 40 views
    assertClose(back[1].data, back[0].data, { atol: 1e-4 });
  }
});

test.run();
