import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import * as assert from "uvu/assert";
import { isArrayLike, type TypedArray, type Volume } from "../../lib/core/arrays.ts";
import { isMat73, listMatArrays, MatUnsupported, readMat, readMatArray } from "../../lib/data/mat5.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("mat5");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const scipy = pythonHas("scipy.io");
const noScipy = "python3 with scipy is not installed";

/** A small writer of the format, in either byte order, to read from. */
function makeMat(littleEndian = true) {
  const u32 = (...values: number[]): Buffer => {
    const out = Buffer.alloc(4 * values.length);
    values.forEach((value, i) => {
      if (littleEndian) out.writeUInt32LE(value >>> 0, 4 * i);
      else out.writeUInt32BE(value >>> 0, 4 * i);
    });
    return out;
  };
  const element = (type: number, data: Uint8Array): Buffer =>
    Buffer.concat([u32(type, data.length), data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
  const matrix = (kind: number, shape: number[], name: string, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat([
      element(6, u32(kind, 0)),
      element(5, u32(...shape)),
      element(1, Buffer.from(name)),
      ...parts,
    ]);
    return Buffer.concat([u32(14, body.length), body]);
  };
  const doubles = (...values: number[]): Buffer => {
    const out = Buffer.alloc(8 * values.length);
    values.forEach((value, i) => {
      if (littleEndian) out.writeDoubleLE(value, 8 * i);
      else out.writeDoubleBE(value, 8 * i);
    });
    return element(9, out);
  };
  const compressed = (variable: Buffer): Buffer => {
    const data = deflateSync(variable);
    return Buffer.concat([u32(15, data.length), data]);
  };
  const file = (...variables: Buffer[]): Buffer => {
    const header = Buffer.alloc(128, "MATLAB 5.0 MAT-file, made by a test");
    header.writeUInt16LE(littleEndian ? 0x0100 : 0x0001, 124);
    header.write(littleEndian ? "IM" : "MI", 126);
    return Buffer.concat([header, ...variables]);
  };
  return { u32, element, matrix, doubles, compressed, file };
}

test("reads numbers in both byte orders, compressed too, row-major in MATLAB's shape", async () => {
  for (const littleEndian of [true, false]) {
    const m = makeMat(littleEndian);
    const a = m.matrix(6, [2, 3], "a", m.doubles(1, 4, 2, 5, 3, 6));
    const stored = m.matrix(7, [1, 3], "small", m.element(2, Buffer.from([7, 8, 9])));
    writeFileSync(at("a.mat"), m.file(a, m.compressed(stored)));
    const { a: first, small } = (await readMat(at("a.mat"))) as Record<string, Volume<TypedArray>>;
    assert.equal(first!.shape, [2, 3]);
    assert.equal([...first!.data], [1, 2, 3, 4, 5, 6]);
    assert.instance(small!.data, Float32Array, "the class counts, not how it is stored");
    assert.equal([...small!.data], [7, 8, 9]);
  }
});

test("reads a compressed variable whose bound is beyond the longest buffer", async () => {
  const m = makeMat();
  const noise = randomBytes(5 << 20);
  writeFileSync(at("noise.mat"), m.file(m.compressed(m.matrix(9, [5 << 20, 1], "noise", m.element(2, noise)))));
  const { array } = await readMatArray(at("noise.mat"));
  assert.ok(noise.equals(Buffer.from(array.data.buffer, array.data.byteOffset, array.data.byteLength)));
});

test("reads one array by name or path; lists what exists otherwise", async () => {
  const m = makeMat();
  const inner = m.matrix(6, [1, 2], "", m.doubles(5, 6));
  const fields = [m.element(5, m.u32(8)), m.element(1, Buffer.from("pixels\0\0empty\0\0\0"))];
  const scan = m.matrix(2, [1, 1], "scan", ...fields, inner, m.u32(14, 0));
  const cells = m.matrix(
    1,
    [2, 2],
    "cells",
    inner,
    inner,
    inner,
    m.matrix(4, [1, 2], "", m.element(16, Buffer.from("hi"))),
  );
  writeFileSync(at("nested.mat"), m.file(scan, cells));
  assert.equal([...(await readMatArray(at("nested.mat"), "scan.pixels")).array.data], [5, 6]);
  assert.equal((await readMatArray(at("nested.mat"), "scan.empty")).array.shape, [0, 0]);
  assert.equal([...(await readMatArray(at("nested.mat"), "cells.1.0")).array.data], [5, 6]);
  assert.is(((await readMat(at("nested.mat")))["cells"] as string[][])[1]![1], "hi");
  const missing = await assertRejects(() => readMatArray(at("nested.mat"), "scan.nothing"), "ERR_SINO_IO_FORMAT");
  assert.match(missing.message, /no array "scan\.nothing"; it holds scan\.pixels, scan\.empty, cells\.0\.0/);
  assert.match(
    (await assertRejects(() => readMatArray(at("nested.mat")), "ERR_SINO_IO_FORMAT")).message,
    /name one of its arrays/,
  );
  writeFileSync(at("one.mat"), m.file(m.matrix(6, [1, 1], "x", m.doubles(3))));
  assert.is((await readMatArray(at("one.mat"))).key, "x");
});

test("marks what it cannot read and reads the rest", async () => {
  const m = makeMat();
  const sparse = m.matrix(5, [2, 2], "s", m.doubles(1));
  const complex = m.matrix(6 + 0x800, [1, 1], "z", m.doubles(1), m.doubles(2));
  writeFileSync(at("odd.mat"), m.file(sparse, complex, m.matrix(6, [1, 1], "x", m.doubles(3))));
  const { s, z, x } = await readMat(at("odd.mat"));
  assert.instance(s, MatUnsupported);
  assert.instance(z, MatUnsupported);
  assert.ok(isArrayLike(x));
  assert.match((await assertRejects(() => readMatArray(at("odd.mat"), "z"), "ERR_SINO_IO_FORMAT")).message, /complex/);
});

test("refuses what is wrong, in a sentence", async () => {
  const m = makeMat();
  const good = m.file(m.matrix(6, [2, 3], "a", m.doubles(1, 4, 2, 5, 3, 6)));
  const v73 = m.file();
  v73.writeUInt16LE(0x0200, 124);
  const noMark = Buffer.from(good).fill(32, 126, 128);
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /expected 128 bytes/],
    [Buffer.alloc(200, "x"), /the mark "IM" or "MI"/],
    [noMark, /the mark/],
    [Buffer.alloc(200), /version 4 is not supported/],
    [v73, /version 7\.3/],
    [good.subarray(0, 170), /cut short/],
    [m.file(m.matrix(6, [60000, 60000], "a", m.doubles(1))), /only 1/],
    [m.file(m.matrix(1, [60000, 60000], "a", m.doubles(1))), /takes 28800000000 bytes/],
    [m.file(m.u32(15, 8), Buffer.from("nonsense")), /compressed data are damaged/],
    [m.file(m.u32(3, 8), Buffer.alloc(8)), /data type 3/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(at("wrong.mat"), bytes);
    assert.match((await assertRejects(() => readMat(at("wrong.mat")), "ERR_SINO_IO_FORMAT")).message, message);
  }
  assert.not.ok(await isMat73(at("wrong.mat")));
  let deep = m.matrix(6, [1, 1], "", m.doubles(1));
  for (let i = 0; i < 200; i++) deep = m.matrix(1, [1, 1], "d", deep);
  writeFileSync(at("deep.mat"), m.file(deep));
  assert.match((await assertRejects(() => readMat(at("deep.mat")), "ERR_SINO_IO_FORMAT")).message, /nested more than/);
});

test("survives damaged files, plain and compressed", async () => {
  const m = makeMat();
  const inner = m.matrix(10, [2, 2], "", m.element(3, Buffer.alloc(8)));
  const fields = [m.element(5, m.u32(8)), m.element(1, Buffer.from("one\0\0\0\0\0two\0\0\0\0\0"))];
  const scan = m.matrix(2, [1, 1], "scan", ...fields, inner, m.matrix(4, [1, 2], "", m.element(16, Buffer.from("hi"))));
  const plain = m.file(
    m.matrix(6, [2, 3], "a", m.doubles(1, 4, 2, 5, 3, 6)),
    scan,
    m.matrix(1, [1, 2], "c", inner, inner),
  );
  await assertSurvivesDamage(plain, at("damaged.mat"), (p) => readMat(p), { headerLength: plain.length, runs: 600 });
  await assertSurvivesDamage(m.file(m.compressed(scan)), at("damaged.mat"), (p) => readMat(p), {
    headerLength: 300,
    runs: 200,
  });
});

test.skipUnless(scipy, noScipy)("reads what scipy writes: every type, shape, struct, cell, text", async () => {
  const script = `
import sys, json, numpy as np, scipy.io as sio
folder = sys.argv[1]; rng = np.random.default_rng(1); d = {}
for dt in ("i1","u1","i2","u2","i4","u4","i8","u8","f4","f8"):
    d["n_" + dt] = (rng.random((3, 4, 2)) * 100).astype(dt)
d["flag"] = np.array([[True, False, True]])
d["empty"] = np.zeros((0, 3))
d["text"] = "grün"; d["rows"] = np.array(["ab ", "cde"])
d["st"] = {"x": np.arange(6.0).reshape(2, 3), "name": "inner", "sub": {"y": np.int16([[7]])}}
d["cell"] = np.array([[np.arange(3.0), "t"], [np.eye(2), np.uint8([[1]])]], dtype=object)
sa = np.zeros((1, 2), dtype=[("v", "O")]); sa[0, 0]["v"] = np.float64([[1]]); sa[0, 1]["v"] = np.float64([[2]]); d["sa"] = sa
for c in (False, True): sio.savemat(f"{folder}/scipy{int(c)}.mat", d, do_compression=c)
print(json.dumps({k: [list(v.shape), v.astype("f8").ravel().tolist()] for k, v in d.items() if k.startswith("n_")}))`;
  const numbers = pythonJson(script, folder) as Record<string, [number[], number[]]>;
  for (const file of ["scipy0.mat", "scipy1.mat"]) {
    const all = await readMat(at(file));
    for (const [key, [shape, values]] of Object.entries(numbers)) {
      const array = all[key] as Volume<TypedArray>;
      assert.equal(array.shape, shape, key);
      assertClose(array.data, values, {}, key);
    }
    assert.equal([...(all["flag"] as Volume<TypedArray>).data], [1, 0, 1]);
    assert.equal((all["empty"] as Volume<TypedArray>).shape, [0, 3]);
    assert.is(all["text"], "grün");
    assert.equal(all["rows"], ["ab ", "cde"]);
    const st = all["st"] as { x: Volume<TypedArray>; name: string; sub: { y: Volume<TypedArray> } };
    assert.equal([...st.x.data], [0, 1, 2, 3, 4, 5]);
    assert.is(st.name, "inner");
    assert.equal([...st.sub.y.data], [7]);
    const cell = all["cell"] as unknown as [[Volume<TypedArray>, string], [Volume<TypedArray>, Volume<TypedArray>]];
    assert.is(cell[0][1], "t");
    assert.equal(cell[1][0].shape, [2, 2]);
    assert.equal(
      (all["sa"] as unknown as { v: Volume<TypedArray> }[][])[0]!.map(({ v }) => v.data[0]),
      [1, 2],
    );
    assert.ok(listMatArrays(all).includes("st.sub.y"));
    assert.equal([...(await readMatArray(at(file), "cell.0.0")).array.data], [0, 1, 2]);
  }
});

test.run();
