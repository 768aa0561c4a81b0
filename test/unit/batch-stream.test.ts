/** Slice by slice is the same as all at once, bit for bit, and stops when the loop is left. */
import * as assert from "uvu/assert";
import { correctStream, reconstructStream, seriesStream } from "../../lib/batch/stream.ts";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readSeries } from "../../lib/data/dicom/read.ts";
import { correctImages } from "../../lib/mar/image.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { parseGeometry } from "../../lib/tomography/geometry-file.ts";
import { smallGeometry, writeSeries } from "../support/batch.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-stream");
const folder = temporaryFolder();
writeSeries(folder, 1, { slices: 7, size: 64 });
const geometry = parseGeometry(smallGeometry);
const sinograms = volume(
  Float32Array.from({ length: 7 * 31 * 47 }, (_, i) => Math.max(0, 2 - Math.abs((i % 47) - 23) / 8) + (i % 13) / 50),
  [7, 31, 47],
);
const same = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && Buffer.compare(new Uint8Array(a.slice().buffer), new Uint8Array(b.slice().buffer)) === 0;
const slice = ({ data, shape: [, r = 0, c = 0] }: Volume, i: number) => data.subarray(i * r * c, (i + 1) * r * c);

test("reconstructStream is fbp", async () => {
  const whole = await fbp(sinograms, geometry);
  const single = Array.from({ length: 7 }, (_, i) => volume(slice(sinograms, i), [31, 47]));
  for (const source of [sinograms, single])
    for (const slicesAtOnce of [1, 3, 16]) {
      let count = 0;
      for await (const { index, image } of reconstructStream(source, geometry, { slicesAtOnce })) {
        assert.is(index, count++);
        assert.equal(image.shape, [32, 32]);
        assert.ok(same(image.data, slice(whole, index)), `slice ${index} of ${slicesAtOnce} at once`);
      }
      assert.is(count, 7);
    }
});

test("correctStream of seriesStream is correctImages of readSeries", async () => {
  const series = await readSeries(folder);
  const pixelMm = series.slices[0]!.pixelSpacing;
  const whole = await correctImages(series.volume, { pixelMm });
  const images = async function* () {
    for await (const { index, count, hu } of seriesStream(folder)) {
      assert.is(count, 7);
      assert.ok(same(hu.data, slice(series.volume, index)));
      yield hu;
    }
  };
  let count = 0;
  for await (const { index, hu, metalPixels } of correctStream(images(), { pixelMm })) {
    assert.is(index, count++);
    assert.is(metalPixels, whole.metalPixels[index]);
    assert.ok(same(hu.data, slice(whole.hu, index)), `slice ${index}`);
  }
  assert.is(count, 7);
});

test("leaving the loop closes the source; an abort, a wrong slice and a source that throws come out as they are", async () => {
  let isClosed = false;
  const source = async function* () {
    try {
      for (let i = 0; ; i++) yield volume(slice(sinograms, i % 7), [31, 47]);
    } finally {
      isClosed = true;
    }
  };
  for await (const { index } of reconstructStream(source(), geometry)) if (index === 5) break;
  assert.ok(isClosed);
  const outcome = async (slices: Parameters<typeof reconstructStream>[0], signal?: AbortSignal) => {
    try {
      for await (const _ of reconstructStream(slices, geometry, { signal }));
    } catch (error) {
      return error;
    }
    return undefined;
  };
  assert.is(await outcome(source(), AbortSignal.abort("why")), "why");
  assert.is(((await outcome([volume(new Float32Array(6), [2, 3])])) as { code: string }).code, "ERR_SINO_SHAPE");
  const failing = async function* () {
    yield volume(slice(sinograms, 0), [31, 47]);
    throw new Error("the source's own");
  };
  assert.match(((await outcome(failing())) as Error).message, /the source's own/);
});

test.run();
