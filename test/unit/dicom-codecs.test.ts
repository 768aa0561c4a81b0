/** Only here: every codec of dcmjs-codecs against the pixels it encoded, fragments in all shapes, and damaged streams. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readSeries } from "../../lib/data/dicom/read.ts";
import { writeDerivedSeries } from "../../lib/data/dicom/write.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { type CtOptions, ctSlice, dicomBytes, fragments } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

type Codecs = typeof import("dcmjs-codecs");
const test = testSuite("dicom codecs");
const found = (await import("dcmjs-codecs").catch(() => undefined)) as (Codecs & { default?: Codecs }) | undefined;
const codecs = found?.default ?? found;
await codecs?.NativeCodecs.initializeAsync();
const codecTest = test.skipUnless(codecs, "dcmjs-codecs is not installed");

const root = temporaryFolder();
const rows = 40;
const columns = 24;
/** Smooth enough for every codec, within 12 bits. */
const pixels = Int16Array.from({ length: rows * columns }, (_, i) => Math.round(900 * Math.sin(i / 50)) + (i % 7));
const raw = new Uint8Array(pixels.buffer);

function encode(kind: "Rle" | "Jpeg" | "JpegLs" | "Jpeg2000" | "JpegXl" | "HtJpeg2000"): Uint8Array {
  const context = new codecs!.Context({
    width: columns,
    height: rows,
    bitsAllocated: 16,
    bitsStored: 16,
    samplesPerPixel: 1,
    pixelRepresentation: 1,
    planarConfiguration: 0,
    photometricInterpretation: "MONOCHROME2",
    decodedBuffer: raw.slice(),
  });
  const lossless = { lossy: false, predictor: 1, pointTransform: 0 };
  return codecs!.NativeCodecs[`encode${kind}`](context, lossless).getEncodedBuffer()!.slice();
}

function fileOf(name: string, uid: string, body: Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, dicomBytes(ctSlice({ rows, columns, pixels }), { encapsulated: { uid, body } }));
  return path;
}

const lossless = [
  ["1.2.840.10008.1.2.5", "Rle"],
  ["1.2.840.10008.1.2.4.70", "Jpeg"],
  ["1.2.840.10008.1.2.4.80", "JpegLs"],
  ["1.2.840.10008.1.2.4.90", "Jpeg2000"],
  ["1.2.840.10008.1.2.4.110", "JpegXl"],
  ["1.2.840.10008.1.2.4.201", "HtJpeg2000"],
  ["1.2.840.10008.1.2.4.202", "HtJpeg2000"],
] as const;
for (const [uid, kind] of lossless)
  codecTest(`${kind} ${uid}: exact, and exact again in a derived file of an unchanged slice`, async () => {
    const series = await readSeries(fileOf(uid, uid, fragments(encode(kind))));
    assertClose(series.volume.data, pixels, {}, kind);
    const out = join(root, `derived-${uid}`);
    const options = { out, description: "d", derivation: "d", configuration: {}, changed: [false] };
    await writeDerivedSeries(series, series.volume, options);
    const again = await readSeries(out);
    assert.is(again.slices[0]?.transferSyntax.uid, "1.2.840.10008.1.2.1");
    assertClose(again.volume.data, pixels, {}, `derived ${kind}`);
  });

for (const [count, table] of [
  [1, false],
  [3, true],
  [5, false],
] as const)
  codecTest(`${count} fragments ${table ? "with" : "without"} an offset table`, async () => {
    const uid = "1.2.840.10008.1.2.4.80";
    const series = await readSeries(fileOf(`fragments-${count}`, uid, fragments(encode("JpegLs"), count, table)));
    assertClose(series.volume.data, pixels, {}, "pixels");
  });

codecTest("an extended offset table", async () => {
  const stream = encode("JpegLs");
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(stream.length);
  const extra: CtOptions["extra"] = [
    [0x7fe00001, "OV", new Uint8Array(8)],
    [0x7fe00002, "OV", lengths],
    [0x7fe11001, "UN", undefined],
  ];
  const encapsulated = { uid: "1.2.840.10008.1.2.4.80", body: fragments(stream, 1, false) };
  const path = join(root, "extended");
  writeFileSync(path, dicomBytes(ctSlice({ rows, columns, pixels, extra }), { encapsulated }));
  assertClose((await readSeries(path)).volume.data, pixels, {}, "pixels");
});

codecTest("many compressed slices among uncompressed ones", async () => {
  const folder = join(root, "many");
  mkdirSync(folder);
  const body = fragments(encode("JpegLs"));
  for (let i = 0; i < 20; i++) {
    const encapsulated = i % 3 ? { encapsulated: { uid: "1.2.840.10008.1.2.4.80", body } } : {};
    writeFileSync(join(folder, `${i}`), dicomBytes(ctSlice({ rows, columns, pixels, instance: i + 1 }), encapsulated));
  }
  const { volume } = await readSeries(folder);
  for (let i = 0; i < 20; i++)
    assertClose(volume.data.subarray(i * pixels.length, (i + 1) * pixels.length), pixels, {}, `slice ${i}`);
});

codecTest("refused: a damaged stream, one of another size, no fragment, a cut file", async () => {
  const uid = "1.2.840.10008.1.2.4.80";
  const good = encode("JpegLs");
  const cases: [string, Uint8Array][] = [
    ["damaged", fragments(good.map((byte, i) => (i > 10 && i < 40 ? 0xff : byte)))],
    ["nonsense", fragments(new Uint8Array(100))],
    ["no fragment", fragments(new Uint8Array(0))],
    ["cut", fragments(good).subarray(0, 200)],
    ["not a fragment", new Uint8Array(100).fill(7)],
  ];
  for (const [name, body] of cases) {
    const path = fileOf("bad", uid, body);
    const error = await assertRejects(() => readSeries(path), "ERR_SINO_IO_FORMAT");
    assert.match(error.message, path, name);
  }
  const path = join(root, "other-size");
  const other = ctSlice({ rows: rows + 1, columns, pixels: new Int16Array((rows + 1) * columns) });
  writeFileSync(path, dicomBytes(other, { encapsulated: { uid, body: fragments(good) } }));
  await assertRejects(() => readSeries(path), "ERR_SINO_IO_FORMAT");
});

codecTest("idle decoders do not keep a script alive", () => {
  const file = fileOf("alive", "1.2.840.10008.1.2.4.80", fragments(encode("JpegLs")));
  const read = JSON.stringify(new URL("../../lib/data/dicom/read.ts", import.meta.url).href);
  const script = `const { readSeries } = await import(${read}); await readSeries(${JSON.stringify(file)}); console.log(Date.now());`;
  const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.is(child.status, 0, child.stderr);
  assert.ok(Date.now() - Number(child.stdout) < 3000, "the script ended only when its decoders did");
});

test("refused: encapsulated by name, but with plain pixels", async () => {
  const path = join(root, "plain");
  const bytes = dicomBytes(ctSlice());
  const at = bytes.indexOf("1.2.840.10008.1.2.1\0");
  bytes.write("1.2.840.10008.1.2.5\0", at);
  writeFileSync(path, bytes);
  const error = await assertRejects(() => readSeries(path), "ERR_SINO_IO_FORMAT");
  assert.match(error.message, /not encapsulated/);
});

test.run();
