/**
 * The batch runner: how long the event loop of the process that runs it stalls (an idle one beside it as the yardstick), how well
 * disk, decoding and computing overlap, and what memory a batch takes as it grows.
 * `npm run bench -- batch`
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { inputDigest } from "../../lib/batch/checksum.ts";
import type { BatchEvent } from "../../lib/batch/events.ts";
import type { runBatch as RunBatch } from "../../lib/batch/run.ts";
import { volume } from "../../lib/core/arrays.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fullScan, parallelBeam } from "../../lib/tomography/geometry.ts";
import { writeGeometry } from "../../lib/tomography/geometry-file.ts";
import { writeSeries } from "../../test/support/batch.ts";
import { stallsDuring } from "../../test/support/stalls.ts";

// As it is installed: threads that compile TypeScript take a second to start.
const compiled: string = new URL("../../dist/batch/run.js", import.meta.url).href;
const { runBatch } = (await import(compiled)) as { runBatch: typeof RunBatch };

const folder = mkdtempSync(join(tmpdir(), "sinogram-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]) => join(folder, ...parts);

async function delayDuring(step: () => Promise<unknown>): Promise<string> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const held = await stallsDuring(step);
  delay.disable();
  const ms = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(1).padStart(6);
  const { longestMs } = held;
  return `median ${ms(delay.percentile(50))}  99 % ${ms(delay.percentile(99))}  longest ${ms(delay.max)} ms, held by its own work ${longestMs.toFixed(1)} ms`;
}

async function seconds(step: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await step();
  return (performance.now() - begun) / 1000;
}

writeSeries(at("series"), 4, { slices: 40, size: 512 });
const mar = { task: "mar", inputs: [at("series")], output: at("mar") } as const;
console.log(`event loop, idle           ${await delayDuring(() => sleep(3000))}`);
console.log(`event loop, batch of MAR   ${await delayDuring(() => runBatch(mar))}`);

// 512², 720 views, 729 bins, 16 slices a file
const geometry = parallelBeam({ bins: 729, binMm: 1, angles: fullScan(720), image: { shape: [512, 512], pixelMm: 1 } });
await writeGeometry(at("geometry.json"), geometry);
const shape = [16, 720, 729];
const sinograms = volume(
  Float32Array.from({ length: 16 * 720 * 729 }, (_, i) => Math.max(0, 2 - Math.abs((i % 729) - 364) / 100)),
  shape,
);
/** Of events of a batch: seconds that each step took, summed over jobs. */
function stepsOf(events: readonly BatchEvent[]): Record<string, number> {
  const steps: Record<string, number> = {};
  for (const event of events)
    if (event.event === "done")
      for (const [name, seconds] of Object.entries(event.seconds)) steps[name] = (steps[name] ?? 0) + seconds;
  return steps;
}
const tell = (steps: Record<string, number>) =>
  Object.entries(steps)
    .map(([name, seconds]) => `${name} ${seconds.toFixed(2)}`)
    .join(", ");

// Each stage alone, one file after the other, as the batch does it; what a stage leaves is thrown away outside of its time.
for (const count of [4, 16, 64]) {
  const input = at(`sinograms${count}`);
  mkdirSync(input);
  const files = Array.from({ length: count }, (_, k) => join(input, `s${k}.npy`));
  for (const file of files) await writeNpy(file, sinograms);
  const images = await fbp(sinograms, geometry);
  const reading = await seconds(async () => {
    for (const file of files) await readNpy(file);
  });
  const computing = await seconds(async () => {
    for (const _ of files) await fbp(sinograms, geometry, { out: images });
  });
  const writing = await seconds(async () => {
    for (const file of files) await writeNpy(`${file}.out`, images);
  });
  const proving = await seconds(async () => {
    for (const file of files) await inputDigest([file, `${file}.out`]);
  });
  for (const file of files) rmSync(`${file}.out`);
  const events: BatchEvent[] = [];
  let batch = 0;
  const run = () =>
    runBatch({
      task: "reconstruct",
      inputs: [input],
      geometry: at("geometry.json"),
      output: `${input}-out`,
      onEvent: (event) => void events.push(event),
    });
  const delay = await delayDuring(async () => {
    batch = await seconds(run);
  });
  const alone = { reading, computing, writing, proving };
  const slowest = Math.max(...Object.values(alone));
  const rss = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(`FBP of ${count} files of 16 slices, seconds`);
  console.log(`  alone, one file after the other   ${tell(alone)}`);
  console.log(`  in the batch, three lanes at once ${tell(stepsOf(events))} (writing includes proving)`);
  console.log(
    `  batch ${batch.toFixed(2)}: ${(batch / slowest).toFixed(2)} of the slowest stage alone, ` +
      `${(batch / (reading + computing + writing + proving)).toFixed(2)} of all in turn; peak memory ${rss} MB`,
  );
  console.log(`  event loop                        ${delay}`);
}
