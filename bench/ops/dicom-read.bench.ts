/**
 * Reading 200 uncompressed 512² CT slices from the page cache to a float32 HU volume, beside pydicom doing the same (where it is
 * installed), taking turns. Prints medians with their spread, slices per second and the ratio.
 *
 *     node --import tsx bench/ops/dicom-read.bench.ts [repeats]
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { listSeries } from "../../lib/data/dicom/list.ts";
import { readSeries } from "../../lib/data/dicom/read.ts";
import { ramp, writeCtSeries } from "../../test/support/dicom.ts";
import { pythonHas } from "../../test/support/python.ts";

const slices = 200;
const size = 512;
const repeats = Number(process.argv[2] ?? 9);

const pydicomReader = `
import sys, time, glob, numpy, pydicom
for line in sys.stdin:
    start = time.perf_counter()
    data = [pydicom.dcmread(f) for f in glob.glob(sys.argv[1] + "/*")]
    data.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    hu = numpy.empty((len(data), data[0].Rows, data[0].Columns), numpy.float32)
    for i, d in enumerate(data):
        numpy.multiply(d.pixel_array, numpy.float32(d.RescaleSlope), out=hu[i], casting="unsafe")
        hu[i] += numpy.float32(d.RescaleIntercept)
    print((time.perf_counter() - start) * 1000, hu[7, 3, 5], flush=True)
`;

interface Reader {
  readonly name: string;
  readonly run: () => Promise<number>;
  readonly times: number[];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function pydicom(folder: string): { run: () => Promise<number>; stop: () => void } {
  const child = spawn("python3", ["-c", pydicomReader, folder], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const run = async () => {
    child.stdin.write("go\n");
    const [ms, sample] = String((await lines.next()).value)
      .split(" ")
      .map(Number);
    if (sample !== ramp(size, size, 8)[3 * size + 5]! - 1024) throw new Error("pydicom read other values");
    return ms!;
  };
  return { run, stop: () => child.stdin.end() };
}

const folder = mkdtempSync(join(tmpdir(), "sinogram-bench-"));
try {
  // As many elements as a scanner writes: the head is half of the work.
  const privates = Array.from({ length: 100 }, (_, i) => [0x00191000 + i, "DS", `${i}.5`] as const);
  writeCtSeries(folder, slices, (i) => ({
    rows: size,
    columns: size,
    pixels: ramp(size, size, i + 1),
    intercept: -1024,
    extra: [[0x00190010, "LO", "SINO_BENCH"], ...privates],
  }));
  const { volume } = await readSeries(folder);
  if (volume.get(7, 3, 5) !== ramp(size, size, 8)[3 * size + 5]! - 1024)
    throw new Error("readSeries read other values");
  const buffer = new Float32Array(slices * size * size);
  const readers: Reader[] = [
    { name: "listSeries (heads only)", run: () => timed(() => listSeries(folder)), times: [] },
    { name: "readSeries", run: () => timed(() => readSeries(folder)), times: [] },
    { name: "readSeries, reused buffer", run: () => timed(() => readSeries(folder, { buffer })), times: [] },
  ];
  const peer = pythonHas("pydicom", "numpy") ? pydicom(folder) : undefined;
  if (peer) readers.push({ name: "pydicom", run: peer.run, times: [] });
  else console.log("pydicom is not installed: no comparison (pip install pydicom numpy)");
  for (let turn = 0; turn <= repeats; turn++)
    for (const reader of readers) {
      const ms = await reader.run();
      if (turn > 0) reader.times.push(ms); // the first turn warms up
    }
  peer?.stop();
  const median = (times: number[]) => times.toSorted((a, b) => a - b)[times.length >> 1]!;
  const pydicomMs = peer ? median(readers.at(-1)!.times) : Number.NaN;
  console.log(`${slices} slices of ${size}², median of ${repeats} (fastest – slowest)`);
  for (const { name, times } of readers) {
    const ms = median(times);
    const spread = `${Math.min(...times).toFixed(0)} – ${Math.max(...times).toFixed(0)}`;
    const ratio = peer && name !== "pydicom" ? `${(pydicomMs / ms).toFixed(1)} × pydicom` : "";
    console.log(
      `${name.padEnd(28)}${ms.toFixed(0).padStart(6)} ms (${spread})  ${((slices / ms) * 1000).toFixed(0).padStart(6)} slices/s  ${ratio}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
