import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ndarray from "ndarray";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { parseArraySpec, readArray, toFloat32, writeArray } from "../../lib/data/array-files.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("array-files");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const image = volume(
  Float32Array.from({ length: 12 }, (_, i) => i / 3),
  [3, 4],
);

test("splits specs, Windows paths and odd names included", () => {
  const cases: [string, string, string, string | undefined][] = [
    ["a.npy", "a.npy", "npy", undefined],
    ["C:\\data\\a.npz:image", "C:\\data\\a.npz", "npz", "image"],
    ["a.h5:/exchange/data", "a.h5", "h5", "/exchange/data"],
    ["a.H5.nii.gz", "a.H5.nii.gz", "nii.gz", undefined],
    ["run.raw.v2/a.RAW:2x3:i16be", "run.raw.v2/a.RAW", "raw", "2x3:i16be"],
    ["a.mat:x.npy", "a.mat", "mat", "x.npy"],
    ["a.npz:", "a.npz", "npz", undefined],
  ];
  for (const [spec, path, extension, part] of cases) {
    const parsed = parseArraySpec(spec);
    assert.equal([parsed.path, parsed.extension, parsed.part], [path, extension, part]);
  }
  for (const spec of ["a.dcm", "folder", "", ".npy", "a.npy.txt"])
    assert.throws(
      () => parseArraySpec(spec),
      (error: { code: string }) => error.code === "ERR_SINO_UNSUPPORTED",
    );
});

test("writes and reads back every format that it writes", async () => {
  for (const name of ["a.npy", "a.npz", "b.npz:image", "a.nii", "a.nii.gz", "a.raw", "a.bin", "a.f32"]) {
    await writeArray(at(name), image, { spacing: [2, 3] });
    const { array, meta } = await readArray(at(name), { shape: [3, 4] });
    assert.equal(array.shape, [3, 4], name);
    assertClose(array.data, image.data, {}, name);
    assert.is(meta.dtype, "float32");
    if (name.startsWith("a.nii")) assert.equal(meta.spacing, [2, 3]);
  }
  assert.is((await readArray(at("b.npz"))).meta.key, "image");
  await writeArray(at("short.f32"), volume(Int16Array.of(-1, 2), [2]));
  assert.equal([...(await readArray(at("short.f32:2"))).array.data], [-1, 2]);
  await writeArray(at("a.png"), image, { deepLesion: true });
  assert.equal([...(await readArray(at("a.png"), { deepLesion: true })).array.data], [...image.data].map(Math.round));
});

test("keeps the header of a NIfTI source", async () => {
  const affine = [
    [0, -2, 0, 1],
    [3, 0, 0, 2],
    [0, 0, 4, 3],
    [0, 0, 0, 1],
  ];
  await writeArray(at("source.nii"), volume(new Int16Array(24), [2, 3, 4]), { affine });
  const { array, meta } = await readArray(at("source.nii"));
  await writeArray(at("target.nii"), array, { header: meta.header! });
  assert.ok(readFileSync(at("target.nii")).equals(readFileSync(at("source.nii"))));
  assert.equal((await readArray(at("target.nii"))).meta.affine, affine);
});

test("reads headerless files by spec or by options", async () => {
  writeFileSync(at("x.raw"), Buffer.from([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]));
  assert.equal([...(await readArray(at("x.raw:2x3:i16be"))).array.data], [1, 2, 3, 4, 5, 6]);
  assert.equal(
    [...(await readArray(at("x.raw:6:u16"))).array.data].map((v) => v / 256),
    [1, 2, 3, 4, 5, 6],
  );
  const options = { shape: [3, 2], dtype: "int16", littleEndian: false } as const;
  assert.equal((await readArray(at("x.raw"), options)).array.shape, [3, 2]);
  assert.equal((await readArray(at("x.raw:3"))).meta.dtype, "float32");
  await assertRejects(() => readArray(at("x.raw")), "ERR_SINO_SHAPE");
  await assertRejects(() => readArray(at("x.raw:2xtwo")), "ERR_SINO_SHAPE");
  assert.match(
    (await assertRejects(() => readArray(at("x.raw:2x3:short")), "ERR_SINO_ARG_TYPE")).message,
    /i16.*found "short"/,
  );
  assert.match(
    (await assertRejects(() => readArray(at("x.raw:2x4:i16")), "ERR_SINO_IO_FORMAT")).message,
    /take 16 bytes but the file has 12/,
  );
});

test("refuses what it cannot do, in a sentence", async () => {
  assert.match((await assertRejects(() => writeArray(at("a.h5"), image), "ERR_SINO_UNSUPPORTED")).message, /only read/);
  await assertRejects(() => writeArray(at("a.mat"), image), "ERR_SINO_UNSUPPORTED");
  await assertRejects(() => writeArray(at("a.png"), image), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => writeArray(at("a.npy:key"), image), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => writeArray(at("a.npy"), [1, 2] as never), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => readArray(at("a.npy:key")), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => readArray(at("absent.npz:x")), "ERR_SINO_IO");
  await assertRejects(() => writeArray(join(at("a.npy"), "inside.npy"), image), "ERR_SINO_IO");
});

test("converts to float32, in place where nothing is to be done", () => {
  assert.is(toFloat32(image).data.buffer, image.data.buffer);
  const shorts = ndarray(Int16Array.of(1, 2, 3, 4, 5, 6), [2, 3]).transpose(1, 0);
  const floats = toFloat32(shorts);
  assert.equal(
    [floats.shape, [...floats.data]],
    [
      [3, 2],
      [1, 4, 2, 5, 3, 6],
    ],
  );
  assert.instance(floats.data, Float32Array);
  const shared = new Float32Array(new SharedArrayBuffer(8)).fill(2);
  assert.instance(toFloat32({ data: shared, shape: [2] }).data.buffer, ArrayBuffer);
});

test.run();
