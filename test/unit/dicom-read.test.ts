/** Only here: HU, order and geometry of a series, and every way in which files are refused. */
import { mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type CtSeries, paddingHu, readSeries } from "../../lib/data/dicom/read.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import {
  type CtOptions,
  ctSlice,
  dicomBytes,
  type FileOptions,
  ramp,
  type Value,
  writeCtSeries,
} from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom read");
const root = temporaryFolder();
let folders = 0;

function newFolder(): string {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  return folder;
}
const pixels = 6 * 5;

async function seriesOf(
  count: number,
  each?: (index: number) => CtOptions & { file?: FileOptions },
): Promise<CtSeries> {
  const folder = newFolder();
  writeCtSeries(folder, count, each);
  return readSeries(folder);
}

const sliceOf = (series: CtSeries, i: number) => series.volume.data.subarray(i * pixels, (i + 1) * pixels);

test("HU, shape, spacing and identity of a plain series, sorted by position", async () => {
  const series = await seriesOf(5, (i) => ({ instance: 5 - i, intercept: -1024, position: [-10, -20, 100 - 2.5 * i] }));
  assert.equal(series.volume.shape, [5, 6, 5]);
  assert.equal(series.spacingMm, { slice: 2.5, row: 0.75, column: 0.5 });
  assert.equal(
    series.slices.map((s) => s.position[2]),
    [90, 92.5, 95, 97.5, 100],
  );
  for (let i = 0; i < 5; i++)
    assertClose(
      sliceOf(series, i),
      ramp(6, 5, i + 1).map((v) => v - 1024),
      {},
      `slice ${i}`,
    );
  assert.is(series.seriesUid, "1.2.3.100");
  assert.is(series.studyUid, "1.2.3.1");
  assert.is(series.frameOfReferenceUid, "1.2.3.2");
  assert.is(series.kvp, 120);
  assert.is(series.tiltDeg, 0);
  assert.is(series.isEvenlySpaced, true);
  assert.equal(series.warnings, []);
});

test("the same image in every uncompressed syntax, mixed in one series, each slice with its own rescale", async () => {
  const syntaxes = ["explicit", "implicit", "bigEndian", "deflated"] as const;
  const series = await seriesOf(8, (i) => ({
    slope: 1 + i / 8,
    intercept: -i,
    file: { syntax: syntaxes[i % 4]!, undefinedLengths: i > 3 },
  }));
  for (let i = 0; i < 8; i++) {
    const expected = Float32Array.from(ramp(6, 5, i + 1), (v) => v * (1 + i / 8) - i);
    assertClose(sliceOf(series, i), expected, {}, `slice ${i}`);
  }
});

test("8, 12, 16 and 32 bits, signed and not, in one series", async () => {
  const unsigned = Uint16Array.from({ length: pixels }, (_, i) => 65535 - i);
  const bytes = Uint8Array.from({ length: pixels }, (_, i) => 255 - i);
  const wide = Int32Array.from({ length: pixels }, (_, i) => -70_000 - i);
  const dirty = Int16Array.from({ length: pixels }, (_, i) => 0x7000 | (0x800 + i)); // 12 bits signed, an overlay above
  const series = await seriesOf(
    4,
    (i) =>
      [
        { pixels: unsigned },
        { pixels: bytes },
        { pixels: dirty, bitsStored: 12 },
        {
          pixels: new Int16Array(pixels),
          extra: [
            [0x00280100, "US", [32]],
            [0x00280101, "US", [32]],
            [0x00280102, "US", [31]],
            [0x7fe00010, "OW", new Uint8Array(wide.buffer)],
          ],
        } satisfies CtOptions,
      ][i]!,
  );
  assertClose(sliceOf(series, 0), unsigned, {}, "16 bits");
  assertClose(sliceOf(series, 1), bytes, {}, "8 bits");
  assertClose(
    sliceOf(series, 2),
    Float32Array.from({ length: pixels }, (_, i) => i - 2048),
    {},
    "12 bits",
  );
  assertClose(sliceOf(series, 3), wide, {}, "32 bits");
});

test("padding keeps its value and is told, whatever VR it is written with", async () => {
  const stored = ramp(6, 5, 1);
  stored[7] = -2000;
  const series = await seriesOf(1, () => ({ pixels: stored, intercept: -1024, extra: [[0x00280120, "US", [63536]]] }));
  assert.is(series.slices[0]?.padding, -2000);
  assert.is(paddingHu(series.slices[0]!), -3024);
  assert.is(series.volume.data[7], -3024);
  assert.is(paddingHu((await seriesOf(1)).slices[0]!), undefined);
});

test("gantry tilt and uneven gaps are measured and told", async () => {
  const tilt = (18.5 * Math.PI) / 180;
  const heights = [0, 4, 8, 15, 22];
  const series = await seriesOf(5, (i) => ({
    orientation: [1, 0, 0, 0, Math.cos(tilt), -Math.sin(tilt)],
    position: [0, 0, heights[i]!],
    extra: [[0x00181120, "DS", "18.5"]],
  }));
  assert.ok(Math.abs(series.tiltDeg - 18.5) < 0.001, String(series.tiltDeg));
  assert.ok(Math.abs(series.gapsMm[0]! - 4 * Math.cos(tilt)) < 1e-6);
  assert.is(series.isEvenlySpaced, false);
  assert.is(series.warnings.length, 2);
  assert.match(series.warnings.join(), /uneven.*obliquely by 18.5°/s);
});

test("rounding in orientation and spacing is no difference; a sideways shift is told", async () => {
  const series = await seriesOf(4, (i) => ({
    orientation: [1, 0, 0, 0, 0.995 + i * 1e-5, -0.0999],
    position: [i === 2 ? 5 : 0, 0, 3 * i],
    extra: [[0x00280030, "DS", `0.48825${i}\\0.5`]],
  }));
  assert.is(series.slices.length, 4);
  assert.match(series.warnings.join(), /1 slices are shifted sideways/);
});

test("two slices at one place are both kept and told; one image in two files counts once", async () => {
  const folder = newFolder();
  const [first] = writeCtSeries(folder, 4, (i) => (i === 3 ? { position: [-10, -20, 5] } : {}));
  writeFileSync(join(folder, "copy"), dicomBytes(ctSlice({ instance: 1 })));
  const series = await readSeries(folder);
  assert.equal(
    series.slices.map((s) => s.instanceNumber),
    [1, 2, 4, 3],
  );
  assert.equal(series.gapsMm, [2.5, 0, 2.5]);
  assert.is(series.isEvenlySpaced, false);
  assert.is(series.spacingMm.slice, 2.5);
  assert.match(series.warnings.join(), /repeat an image/);
  assert.match(series.warnings.join(), /lie where another one does/);
  assert.is((await readSeries(first!)).slices.length, 1);
});

test("chooses the CT series, or asks which", async () => {
  const folder = newFolder();
  writeCtSeries(join(folder, "ct"), 2);
  writeCtSeries(join(folder, "mr"), 2, () => ({ series: "1.2.3.200", extra: [[0x00080060, "CS", "MR"]] }));
  writeCtSeries(join(folder, "scout"), 1, () => ({
    series: "1.2.3.300",
    extra: [[0x00080008, "CS", "A\\B\\LOCALIZER"]],
  }));
  const series = await readSeries(folder);
  assert.is(series.seriesUid, "1.2.3.100");
  assert.match(series.warnings.join(), /2 other series/);
  writeCtSeries(join(folder, "other"), 3, () => ({ series: "1.2.3.400" }));
  const error = await assertRejects(() => readSeries(folder), "ERR_SINO_OUT_OF_RANGE");
  assert.match(error.message, /1\.2\.3\.100.*1\.2\.3\.400/);
  assert.is((await readSeries(folder, { seriesUid: "1.2.3.400" })).slices.length, 3);
  await assertRejects(() => readSeries(folder, { seriesUid: "9.9" }), "ERR_SINO_OUT_OF_RANGE");
  const mr = await readSeries(folder, { seriesUid: "1.2.3.200", anyModality: true });
  assert.is(mr.modality, "MR");
});

test("puts the HU into a buffer that is handed in, where it is long enough", async () => {
  const folder = newFolder();
  writeCtSeries(folder, 2);
  const buffer = new Float32Array(2 * pixels + 3);
  const { volume } = await readSeries(folder, { buffer });
  assert.is(volume.data.buffer, buffer.buffer);
  assert.is(volume.data.length, 2 * pixels);
  assertClose(sliceOf(await readSeries(folder), 1), volume.data.subarray(pixels), {}, "second slice");
  await assertRejects(() => readSeries(folder, { buffer: new Float32Array(pixels) }), "ERR_SINO_SHAPE");
});

test("a list of files is a series too", async () => {
  const files = writeCtSeries(newFolder(), 4);
  assert.is((await readSeries(files.slice(1, 3))).slices.length, 2);
  await assertRejects(() => readSeries([]), "ERR_SINO_ARG_TYPE");
});

const refused: [string, Partial<Record<number, [string, Value | undefined]>>, RegExp][] = [
  ["not CT", { 524384: ["CS", "PT"] }, /modality is PT/],
  ["no pixel data", { 2145386512: ["OW", undefined] }, /without pixel data/],
  ["RGB", { 2621442: ["US", [3]], 2621444: ["CS", "RGB"] }, /colour image \(RGB\)/],
  ["palette", { 2621444: ["CS", "PALETTE COLOR"] }, /colour image \(PALETTE COLOR\)/],
  ["multi-frame", { 2621448: ["IS", "12"] }, /multi-frame image of 12 frames/],
  ["no Rows", { 2621456: ["US", undefined] }, /Rows \(0028,0010\) is missing/],
  ["no Columns", { 2621457: ["US", undefined] }, /Columns \(0028,0011\) is missing/],
  ["zero rows", { 2621456: ["US", [0]] }, /0 × 5/],
  ["no PixelSpacing", { 2621488: ["DS", undefined] }, /PixelSpacing \(0028,0030\) is missing/],
  ["half a PixelSpacing", { 2621488: ["DS", "0.7"] }, /expected 2 numbers in PixelSpacing/],
  ["PixelSpacing 0", { 2621488: ["DS", "0\\0.7"] }, /positive PixelSpacing/],
  ["no position", { 2097202: ["DS", undefined] }, /ImagePositionPatient \(0020,0032\) is missing/],
  ["no orientation", { 2097207: ["DS", undefined] }, /ImageOrientationPatient \(0020,0037\) is missing/],
  ["no orthogonal orientation", { 2097207: ["DS", "1\\0\\0\\1\\0\\0"] }, /orthogonal/],
  ["no slope", { 2625619: ["DS", undefined] }, /RescaleSlope \(0028,1053\) is missing/],
  ["slope 0", { 2625619: ["DS", "0"] }, /make no HU/],
  ["slope in words", { 2625619: ["DS", "one"] }, /make no HU/],
  ["no SOP instance", { 524312: ["UI", undefined] }, /SOPInstanceUID/],
  ["1 bit", { 2621696: ["US", [1]], 2621697: ["US", [1]], 2621698: ["US", [0]] }, /8, 16 or 32 bits/],
  ["shifted bits", { 2621697: ["US", [12]], 2621698: ["US", [15]] }, /do not fit/],
  ["short pixel data", { 2145386512: ["OW", new Uint8Array(20)] }, /has 20 bytes but 60 are needed/],
];
for (const [name, changes, message] of refused)
  test(`refused, naming the file: ${name}`, async () => {
    const extra = Object.entries(changes).map(([tag, change]) => [Number(tag), ...change!] as const);
    const [file] = writeCtSeries(newFolder(), 1, () => ({ extra }));
    const error = await assertRejects(() => readSeries(file!), "ERR_SINO_IO_FORMAT");
    assert.match(error.message, file!);
    assert.match(error.message, message);
  });

test("refused: an unknown transfer syntax", async () => {
  const [file] = writeCtSeries(newFolder(), 1, () => ({
    file: { encapsulated: { uid: "1.2.840.10008.1.2.4.100", body: new Uint8Array(8) } },
  }));
  const error = await assertRejects(() => readSeries(file!), "ERR_SINO_UNSUPPORTED");
  assert.match(error.message, "1.2.840.10008.1.2.4.100");
});

test("refused: truncated pixels, a truncated head, an empty file, not DICOM, an empty folder", async () => {
  const files = writeCtSeries(newFolder(), 3);
  truncateSync(files[0]!, statSync(files[0]!).size - 20); // the pixels end 14 bytes before the end
  assert.match((await assertRejects(() => readSeries(files), "ERR_SINO_IO_FORMAT")).message, /truncated/);
  truncateSync(files[0]!, 400);
  assert.match((await assertRejects(() => readSeries(files), "ERR_SINO_IO_FORMAT")).message, files[0]!);
  truncateSync(files[0]!, 0);
  assert.match((await assertRejects(() => readSeries(files[0]!), "ERR_SINO_IO_FORMAT")).message, /empty/);
  await assertRejects(() => readSeries(import.meta.filename), "ERR_SINO_IO_FORMAT");
  await assertRejects(() => readSeries(newFolder()), "ERR_SINO_IO_FORMAT");
});

test("a damaged file is no reason to lose the series silently, nor to lose it when it is asked for by name", async () => {
  const folder = newFolder();
  writeCtSeries(folder, 3);
  writeFileSync(join(folder, "zz"), dicomBytes(ctSlice()).subarray(0, 400));
  await assertRejects(() => readSeries(folder), "ERR_SINO_IO_FORMAT");
  const series = await readSeries(folder, { seriesUid: "1.2.3.100" });
  assert.is(series.slices.length, 3);
  assert.match(series.warnings.join(), /1 damaged files are left out/);
});

test("refused, naming the odd ones: mixed sizes, orientations and spacings in one series", async () => {
  const odd = (options: CtOptions) => (i: number) => (i === 2 ? options : {});
  const cases: [CtOptions, string, RegExp][] = [
    [{ rows: 7 }, "ERR_SINO_SHAPE", /differ in size \(3 of 6 × 5 pixels, 1 of 7 × 5/],
    [{ orientation: [1, 0, 0, 0, 0, -1] }, "ERR_SINO_IO_FORMAT", /differ in orientation/],
    [{ extra: [[0x00280030, "DS", "1\\1"]] }, "ERR_SINO_IO_FORMAT", /differ in pixel spacing/],
  ];
  for (const [options, code, message] of cases) {
    const files = writeCtSeries(newFolder(), 4, odd(options));
    const error = await assertRejects(() => readSeries(files), code);
    assert.match(error.message, message);
    assert.match(error.message, files[2]!);
  }
});

test("progress is monotone and ends at the total; an abort gives its reason; the event loop keeps turning", async () => {
  const folder = newFolder();
  const big = new Int16Array(512 * 512);
  writeCtSeries(folder, 40, () => ({ rows: 512, columns: 512, pixels: big }));
  const events: number[] = [];
  let longest = 0;
  let last = performance.now();
  const clock = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  await readSeries(folder, { onProgress: ({ done, total }) => events.push(done / total) });
  clearInterval(clock);
  assert.is(events.at(-1), 1);
  assert.ok(events.every((value, i) => i === 0 || value > events[i - 1]!));
  assert.ok(longest < 60, `the event loop stood still for ${longest} ms`); // 10 ms on an idle machine

  const controller = new AbortController();
  const reason = new Error("enough");
  const reading = readSeries(folder, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 2);
  try {
    await reading;
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
});

test.run();
