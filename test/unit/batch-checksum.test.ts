/** The checksum that is taken while a file is read is that of the whole file, whatever the reader does with the bytes. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { checksumOf, fileChecksum, inputDigest, PassingChecksum } from "../../lib/batch/checksum.ts";
import { volume } from "../../lib/core/arrays.ts";
import { readArray } from "../../lib/data/array-files.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { writeRaw } from "../../lib/data/raw.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-checksum");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const array = volume(
  Float32Array.from({ length: 60 }, (_, i) => Math.sin(i)),
  [3, 4, 5],
);

async function passingOf(spec: string, path: string): Promise<string | undefined> {
  const passing = await PassingChecksum.start();
  await readArray(spec, { reading: { watch: (bytes, start) => passing.see(bytes, start) } });
  return passing.of(path);
}

test("npy and raw: what passed is the file", async () => {
  await writeNpy(at("a.npy"), array);
  assert.is(await passingOf(at("a.npy"), at("a.npy")), (await fileChecksum(at("a.npy"))).xxh64);
  await writeRaw(at("a.raw"), array);
  assert.is(await passingOf(`${at("a.raw")}:3x4x5`, at("a.raw")), (await fileChecksum(at("a.raw"))).xxh64);
});

test("published values of XXH64", async () => {
  assert.is((await checksumOf([])).xxh64, "ef46db3751d8e999");
  assert.equal(await checksumOf([Buffer.from("a"), Buffer.from("bc")]), { bytes: 3, xxh64: "44bc2cf5ad770999" });
});

test("bytes that are swapped in place after reading count as they lie in the file", async () => {
  await writeRaw(at("big.raw"), array, { littleEndian: false });
  assert.is(await passingOf(`${at("big.raw")}:3x4x5:f32be`, at("big.raw")), (await fileChecksum(at("big.raw"))).xxh64);
});

test("a file of which a part was not read has no checksum of what passed", async () => {
  await writeNpy(at("long.npy"), array);
  writeFileSync(at("long.npy"), Buffer.concat([readFileSync(at("long.npy")), Buffer.from("more")]));
  assert.is(await passingOf(at("long.npy"), at("long.npy")), undefined);
  const gap = await PassingChecksum.start();
  gap.see(Buffer.from("ab"), 0);
  gap.see(Buffer.from("d"), 3);
  writeFileSync(at("gap"), "abcd");
  assert.is(await gap.of(at("gap")), undefined);
});

test("bytes that are read twice count once", async () => {
  writeFileSync(at("twice"), "abcd");
  const passing = await PassingChecksum.start();
  passing.see(Buffer.from("abc"), 0);
  passing.see(Buffer.from("b"), 1);
  passing.see(Buffer.from("bcd"), 1);
  assert.is(await passing.of(at("twice")), (await fileChecksum(at("twice"))).xxh64);
});

test("known checksums stand for reading a file again", async () => {
  const path = at("a.npy");
  const { xxh64 } = await fileChecksum(path);
  assert.is(await inputDigest([path], undefined, new Map([[path, xxh64]])), await inputDigest([path]));
  assert.is.not(await inputDigest([path], undefined, new Map([[path, "0"]])), await inputDigest([path]));
});

test.run();
