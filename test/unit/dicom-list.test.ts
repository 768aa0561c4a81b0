/** Only here: which files make which series, whatever their names and whatever else lies beside them. */
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { listSeries, scanSeries } from "../../lib/data/dicom/list.ts";
import { assertRejects } from "../support/assert-close.ts";
import { ctSlice, dicomBytes, writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom list");
const root = temporaryFolder();
let folders = 0;

function newFolder(): string {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  return folder;
}

test("tells several series in nested folders apart and passes over everything else", async () => {
  const folder = newFolder();
  writeCtSeries(folder, 3);
  writeCtSeries(join(folder, "deep", "er"), 2, () => ({
    series: "1.2.3.200",
    rows: 4,
    extra: [[0x00200011, "IS", "9"]],
  }));
  writeFileSync(join(folder, "notes.txt"), "not DICOM");
  writeFileSync(join(folder, "empty"), "");
  const noImage = ctSlice({ series: "1.2.3.300", extra: [[0x7fe00010, "OW", undefined]] });
  writeFileSync(join(folder, "DICOMDIR"), dicomBytes(noImage));
  const series = await listSeries(folder);
  assert.equal(
    series.map((s) => [s.seriesUid, s.files.length, s.rows, s.modality, s.seriesNumber]),
    [
      ["1.2.3.100", 3, 6, "CT", 3],
      ["1.2.3.200", 2, 4, "CT", 9],
    ],
  );
});

test("splits localisers off", async () => {
  const folder = newFolder();
  const scout = "ORIGINAL\\PRIMARY\\LOCALIZER";
  writeCtSeries(folder, 4, (i) => (i === 0 ? { rows: 9, extra: [[0x00080008, "CS", scout]] } : {}));
  writeCtSeries(join(folder, "s"), 1, () => ({ series: "1.2.3.200", extra: [[0x00080008, "CS", scout]] }));
  const [first, second] = await listSeries(folder);
  assert.is(first?.files.length, 3);
  assert.is(first?.localizers.length, 1);
  assert.is(first?.isLocalizer, false);
  assert.is(second?.isLocalizer, true);
  assert.is(second?.files.length, 1);
});

test("finds pixels behind a head longer than the first read", async () => {
  const folder = newFolder();
  writeCtSeries(folder, 2, (i) => ({ extra: [[0x00091003, "UN", new Uint8Array(i ? 300_000 : 20_000)]] }));
  const [series] = await listSeries(folder);
  assert.is(series?.files.length, 2);
});

test("reads the description in its character set", async () => {
  const folder = newFolder();
  const text = Buffer.from("Schädel 頭部", "utf8").toString("latin1");
  writeCtSeries(folder, 1, () => ({
    extra: [
      [0x00080005, "CS", "ISO_IR 192"],
      [0x0008103e, "LO", text],
    ],
  }));
  assert.is((await listSeries(folder))[0]?.description, "Schädel 頭部");
});

test("does not read long objects without an image through", async () => {
  const folder = newFolder();
  const path = join(folder, "contours");
  const file = dicomBytes(
    ctSlice({
      extra: [
        [0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.481.3"],
        [0x7fe00010, "OW", undefined],
        [0x7fe11001, "UN", new Uint8Array(0)],
      ],
    }),
  );
  file.writeUInt32LE(1_000_000_000, file.length - 4);
  writeFileSync(path, file);
  truncateSync(path, file.length + 1_000_000_000); // a hole: no bytes on disk
  const start = performance.now();
  assert.is((await listSeries(folder)).length, 0);
  assert.ok(performance.now() - start < 60, "a gigabyte was read");
});

test("passes over what an interrupted writer left", async () => {
  const folder = newFolder();
  writeCtSeries(folder, 1);
  writeCtSeries(join(folder, ".out.0123456789ab.tmp"), 1, () => ({ series: "1.2.3.200" }));
  assert.is((await listSeries(folder)).length, 1);
});

test("follows links to files, not into folders that lead back", async () => {
  const folder = newFolder();
  const [file] = writeCtSeries(join(folder, "a"), 1);
  mkdirSync(join(folder, "b"));
  symlinkSync(file!, join(folder, "b", "link"));
  symlinkSync(folder, join(folder, "b", "loop"));
  symlinkSync(join(folder, "gone"), join(folder, "b", "dangling"));
  assert.is((await listSeries(folder))[0]?.files.length, 2);
});

test("names damaged files beside what it found, and fails where nothing else is", async () => {
  const folder = newFolder();
  const damaged = join(folder, "x");
  writeFileSync(damaged, dicomBytes(ctSlice()).subarray(0, 300));
  const error = await assertRejects(() => listSeries(folder), "ERR_SINO_IO_FORMAT");
  assert.match(error.message, damaged);
  writeCtSeries(join(folder, "good"), 2);
  const scan = await scanSeries(folder);
  assert.is(scan.series.length, 1);
  assert.is(scan.damaged[0]?.file, damaged);
});

test("a folder that is not there is an I/O error; an aborted listing gives its reason", async () => {
  await assertRejects(() => listSeries("/nowhere/at/all"), "ERR_SINO_IO");
  const folder = newFolder();
  writeCtSeries(folder, 1);
  const reason = new Error("enough");
  try {
    await listSeries(folder, { signal: AbortSignal.abort(reason) });
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
});

test.run();
