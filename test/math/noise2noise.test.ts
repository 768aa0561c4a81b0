/** Noise2Noise on a simulated diffusion scan whose truth is known: better than the scan and than Patch2Self; stored models; resuming. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { psnrInside, simulateDwi } from "../../bench/dwi/phantom.ts";
import { noise2noise, patch2self, structureScore } from "../../lib/dwi/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("noise2noise");
const scan = simulateDwi({ size: [4, 30, 36], directions: 12, snr: 15 });
const gradients = { bvals: scan.bvals, directions: scan.directions };
const whenRuns = test.skipUnless(hasOnnxRuntime, noOnnxRuntime);

whenRuns("cleaner than the scan and than Patch2Self; the model can be kept and used again", async () => {
  const folder = join(temporaryFolder(), "run");
  const options = { gradients, folder, threads: 1, epochs: 12 };
  let steps = 0;
  const { dwi, shell, sigma } = await noise2noise(scan.noisy, { ...options, onTraining: () => steps++ });
  assert.equal(dwi.shape, scan.noisy.shape);
  assert.is(shell.volumes.length, 12);
  assert.is(steps, (12 * 48) / 4);
  const classical = await patch2self(scan.noisy, { bvals: scan.bvals });
  const [before, after, p2s] = [scan.noisy, dwi, classical].map((x) => psnrInside(scan, x));
  assert.ok(after! > before! + 3 && after! > p2s!, `${before} → ${after} dB, Patch2Self ${p2s}`);
  assert.ok(Math.abs(sigma / scan.sigma - 1) < 0.35, `noise ${sigma} for ${scan.sigma}`);
  assert.equal(dwi.data.subarray(0, 4320), scan.noisy.data.subarray(0, 4320), "the unweighted volume is copied");
  const again = await noise2noise(scan.noisy, { gradients, model: folder, threads: 1, onTraining: () => steps++ });
  assert.is(steps, 144, "nothing is trained again");
  assert.equal(again.dwi.data, dwi.data);
  const resumed = await noise2noise(scan.noisy, options);
  assert.equal(resumed.dwi.data, dwi.data);
  assert.ok(readdirSync(folder).includes("model.onnx"));
  await assertRejects(() => noise2noise(scan.noisy, { gradients, model: folder, pairs: "nearest" }), "ERR_SINO_MODEL");
});

whenRuns("nearest directions are pairs too", async () => {
  const options = { gradients, pairs: "nearest" as const, threads: 1, epochs: 5 };
  const { dwi } = await noise2noise(scan.noisy, options);
  assert.ok(psnrInside(scan, dwi) > psnrInside(scan, scan.noisy) + 1);
});

whenRuns("blocks of volumes instead of slices; a stored network says what it takes", async () => {
  const folder = join(temporaryFolder(), "volumes");
  const options = { gradients, folder, patches: "volumes" as const, threads: 1, epochs: 4 };
  const { dwi } = await noise2noise(scan.noisy, options);
  assert.ok(psnrInside(scan, dwi) > psnrInside(scan, scan.noisy) + 3);
  const again = await noise2noise(scan.noisy, { gradients, model: folder, threads: 1 });
  assert.equal(again.dwi.data, dwi.data);
  const other = { gradients, model: folder, patches: "slices" as const };
  const { message } = await assertRejects(() => noise2noise(scan.noisy, other), "ERR_SINO_MODEL");
  assert.match(message, /of volumes, the pairs have 2 of slices/);
});

test("what is wrong is told", async () => {
  const bad = (options: object, code: string) =>
    assertRejects(() => noise2noise(scan.noisy, { gradients, ...options }), code);
  await bad({ shell: 3000 }, "ERR_SINO_OUT_OF_RANGE");
  await bad({ pairs: "others?" }, "ERR_SINO_OUT_OF_RANGE");
  await bad({ gradients: { bvals: [0, 1000], directions: scan.directions } }, "ERR_SINO_SHAPE");
  await bad(
    { gradients: { ...gradients, bvals: gradients.bvals.map((_, i) => (i === 1 ? 1000 : 0)) } },
    "ERR_SINO_OUT_OF_RANGE",
  );
  const data = scan.noisy.data.slice();
  data[7] = Number.NaN;
  await assertRejects(() => noise2noise({ data, shape: scan.noisy.shape }, { gradients }), "ERR_SINO_OUT_OF_RANGE");
});

test("structure of residuals: white noise 1, a head more", async () => {
  const zero = { data: new Float32Array(scan.noisy.data.length), shape: scan.noisy.shape };
  assert.ok((await structureScore(scan.clean, zero)) > 2);
  const noise = {
    data: Float32Array.from({ length: 40 * 900 }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5),
    shape: [40, 30, 30],
  };
  const flat = { data: new Float32Array(36000), shape: [40, 30, 30] };
  assert.is(await structureScore(flat, flat), 0);
  const score = await structureScore(noise, flat);
  assert.ok(score > 0.3 && score < 1.3, `${score}`);
});

test.run();
