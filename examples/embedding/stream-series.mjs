// A series slice by slice: read, corrected and handed on while the next slices are in work; the whole series is never in memory.
//
//     node examples/embedding/stream-series.mjs DICOM_DIR
import { pathToFileURL } from "node:url";
import { correctStream, seriesStream } from "sinogram";

/** Yields { index, hu, metalPixels } in the order of the slices. */
export async function* corrected(folder, { signal } = {}) {
  const slices = seriesStream(folder, { signal });
  const first = await slices.next();
  if (first.done) return;
  const pixelMm = first.value.slice.pixelSpacing;
  const images = async function* () {
    yield first.value.hu;
    for await (const { hu } of slices) yield hu;
  };
  yield* correctStream(images(), { pixelMm, method: "nmar", signal });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for await (const { index, hu, metalPixels } of corrected(process.argv[2]))
    console.log(`slice ${index + 1}: ${hu.shape.join(" × ")}, ${metalPixels} pixels of metal`);
