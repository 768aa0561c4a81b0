// A batch inside a program of one's own: events, an end by AbortSignal, and what came of it.
//
//     node examples/embedding/batch.mjs DICOM_DIR OUT
import { pathToFileURL } from "node:url";
import { batchStatus, runBatch } from "sinogram";

export async function correctAll(input, output, { signal, log = console.log } = {}) {
  const report = await runBatch({
    task: "mar",
    inputs: [input],
    output,
    options: { method: "nmar" },
    signal,
    onEvent: (event) => {
      if (event.event === "progress") log(`${event.settled} of ${event.total}, ${event.slicesPerSecond} slices/s`);
      if (event.event === "failed") log(`${event.id} failed: ${event.message}`);
    },
  });
  const { items } = await batchStatus(output);
  return { ...report, waiting: items.filter(({ state }) => state === "waiting").length };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [, , input, output] = process.argv;
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new Error("stopped")));
  const { done, skipped, failed } = await correctAll(input, output, { signal: controller.signal });
  console.log(`${done} done, ${skipped} done before, ${failed.length} failed`);
}
