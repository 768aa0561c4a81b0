/** Plans: the same bits as without, many calls at once, memory given back, and what happens after dispose. */
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { addon } from "../../lib/native/addon.ts";
import { backproject, fbp, filterViews } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { createPlan, type PlannedOperation } from "../../lib/tomography/plan.ts";
import { project, projectTranspose } from "../../lib/tomography/project.ts";
import type { Route } from "../../lib/tomography/route.ts";
import { assertRejects } from "../support/assert-close.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("plan");
const image = { shape: [60, 52], pixelMm: 1 } as const;
const fanFields = { detector: "flat", sod: 150, sdd: 300, bins: 90, binMm: 2, image } as const;
const parallel = parallelBeam({ bins: 81, binMm: 1, angles: { span: 180, count: 77 }, image });
const fan = fanBeam({ ...fanFields, angles: fullScan(100) });
const short = fanBeam({ ...fanFields, detector: "arc", angles: { span: 250, count: 120 } });
const sideways = fanBeam({ ...fanFields, offsetBins: 20, angles: fullScan(100) });

const cases: [string, Geometry, Route][] = [
  ["parallel", parallel, "direct"],
  ["parallel", parallel, "fourier"],
  ["parallel", parallel, "auto"],
  ["full turn", fan, "direct"],
  ["full turn", fan, "rebinned"],
  ["short scan", short, "direct"],
  ["short scan", short, "rebinned"],
  ["pushed sideways", sideways, "direct"],
];
const slicesOf = (geometry: Geometry, side: "images" | "sinograms", slices: number) => {
  const shape = side === "images" ? geometry.image.shape : [geometry.angles.length, geometry.bins];
  return volume(randomFloats(slices * shape[0]! * shape[1]!, 3), [slices, ...shape]);
};
const bytes = ({ data }: Volume) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const same = (a: Volume, b: Volume) => assert.ok(bytes(a).equals(bytes(b)));

for (const [name, geometry, route] of cases)
  test(`${name}, ${route}: the bits of the plain functions, again and again and all at once`, async () => {
    const filter = { filter: "hann", cutoff: 0.8 } as const;
    const plan = await createPlan(geometry, { route, ...filter });
    const other = route === "rebinned" ? "direct" : route;
    for (const slices of [1, 17]) {
      const images = slicesOf(geometry, "images", slices);
      const sinograms = slicesOf(geometry, "sinograms", slices);
      const expected: [PlannedOperation, Volume, Volume][] = [
        ["project", images, await project(images, geometry, { route: other })],
        ["projectTranspose", sinograms, await projectTranspose(sinograms, geometry, { route: other })],
        ["fbp", sinograms, await fbp(sinograms, geometry, { route, ...filter })],
        ["backproject", sinograms, await backproject(sinograms, geometry)],
      ];
      if (geometry !== sideways)
        expected.push(["filterViews", sinograms, await filterViews(sinograms, geometry, filter)]);
      const calls = [0, 1, 2].flatMap(() => expected.map(([operation, input]) => plan[operation](input)));
      for (const [i, result] of (await Promise.all(calls)).entries()) same(result, expected[i % expected.length]![2]);
    }
    plan.dispose();
  });

test("memory is counted, and given back by dispose once the calls under way are done", async () => {
  const before = addon().describe().memoryUsed;
  const plan = await createPlan(short, { route: "rebinned" });
  const sinograms = slicesOf(short, "sinograms", 3);
  const expected = await plan.fbp(sinograms);
  // the weights of the short scan alone, and the parallel views kept as working memory
  assert.ok(addon().describe().memoryUsed > before + 4 * 3 * 58 * 80);
  const last = plan.fbp(sinograms);
  plan.dispose();
  plan.dispose();
  same(await last, expected);
  assert.is(addon().describe().memoryUsed, before);
});

test("working memory that waits is given up where the budget is short", async () => {
  const [two, sixteen] = [slicesOf(fan, "sinograms", 2), slicesOf(fan, "sinograms", 16)];
  const used = () => addon().describe().memoryUsed;
  const { memoryLimit } = addon().describe();
  const memoryUsed = used();
  // twice: plans of earlier tests may be collected in between, which would hide a part of what is needed
  let needed = 0;
  for (let round = 0; round < 2; round++) {
    const before = used();
    const plan = await createPlan(fan);
    await plan.fbp(sixteen);
    needed = Math.max(needed, used() - before);
    plan.dispose();
  }
  const other = await createPlan(fan);
  await other.fbp(two);
  addon().setMemoryLimit(memoryUsed + needed);
  try {
    const out = volume(new Float32Array(16 * 60 * 52), [16, 60, 52]);
    await other.fbp(sixteen, { out });
  } finally {
    addon().setMemoryLimit(memoryLimit);
    other.dispose();
  }
});

test("after dispose every call is refused, with `using` too", async () => {
  const plan = await createPlan(parallel);
  plan[Symbol.dispose]();
  for (const operation of ["project", "projectTranspose", "fbp", "filterViews", "backproject"] as const)
    await assertRejects(
      () => plan[operation](slicesOf(parallel, operation === "project" ? "images" : "sinograms", 1)),
      "ERR_SINO_DISPOSED",
    );
  const parameters = {
    device: "cpu",
    plan: 123456,
    slices: 0,
    images: new Float32Array(),
    sinograms: new Float32Array(),
  };
  assert.throws(
    () => addon().start("project", parameters),
    (error: { code?: string }) => error.code === "ERR_SINO_DISPOSED",
  );
});

test("what cannot work is refused when the plan is made", async () => {
  const used = addon().describe().memoryUsed;
  await assertRejects(() => createPlan({} as Geometry), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => createPlan(fan, { route: "fourier" }), "ERR_SINO_UNSUPPORTED");
  await assertRejects(() => createPlan(parallel, { route: "rebinned" }), "ERR_SINO_UNSUPPORTED");
  await assertRejects(() => createPlan(fan, { route: "fast" as Route }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => createPlan(fan, { filter: "box" as "hann" }), "ERR_SINO_OUT_OF_RANGE");
  await assertRejects(() => createPlan(fan, { cutoff: 2 }), "ERR_SINO_OUT_OF_RANGE");
  const limited = fanBeam({ ...fanFields, angles: { span: 120, count: 50 } });
  await assertRejects(() => createPlan(limited, { route: "rebinned" }), "ERR_SINO_UNSUPPORTED");
  await assertRejects(() => createPlan(fan, { operations: ["fly" as "fbp"] }), "ERR_SINO_OUT_OF_RANGE");
  const plan = await createPlan(fan);
  await assertRejects(() => plan.fbp(slicesOf(parallel, "sinograms", 1)), "ERR_SINO_SHAPE");
  plan.dispose();
  assert.is(addon().describe().memoryUsed, used);
});

test("an abort ends a planned call and leaves the plan as it was", async () => {
  const plan = await createPlan(fan);
  const sinograms = slicesOf(fan, "sinograms", 400);
  const reason = new Error("enough");
  const controller = new AbortController();
  const call = plan.fbp(sinograms, { signal: controller.signal });
  controller.abort(reason);
  await call.then(
    () => assert.unreachable("finished although aborted"),
    (error) => assert.is(error, reason),
  );
  const one = slicesOf(fan, "sinograms", 1);
  same(await plan.fbp(one), await fbp(one, fan));
  plan.dispose();
});

test.run();
