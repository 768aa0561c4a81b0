import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import ndarray from "ndarray";
import * as assert from "uvu/assert";
import { sizeOf, type TypedArray, volume } from "../../lib/core/arrays.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("npy");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const numpy = pythonHas("numpy");
const noNumpy = "python3 with numpy is not installed";

const makers = [
  (n: number) => Int8Array.from({ length: n }, (_, i) => i - 100),
  (n: number) => Uint8Array.from({ length: n }, (_, i) => i),
  (n: number) => Int16Array.from({ length: n }, (_, i) => 32767 - 999 * i),
  (n: number) => Uint16Array.from({ length: n }, (_, i) => 65535 - i),
  (n: number) => Int32Array.from({ length: n }, (_, i) => -1e9 + i),
  (n: number) => Uint32Array.from({ length: n }, (_, i) => 4e9 + i),
  (n: number) => Float32Array.from({ length: n }, (_, i) => Math.fround(i / 7 - 3)),
  (n: number) => Float64Array.from({ length: n }, (_, i) => (i === 1 ? Number.NaN : i / 7)),
];

function npyWith(header: string, elements: Uint8Array = new Uint8Array(0), version = 1): Buffer {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(header.length, 0, length.length);
  return Buffer.concat([
    Buffer.from(`\x93NUMPY`, "latin1"),
    Buffer.from([version, 0]),
    length,
    Buffer.from(header),
    elements,
  ]);
}

test("writes and reads back every type at random shapes, 0-d and empty included", async () => {
  const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(shapes, fc.constantFrom(...makers), async (shape, make) => {
      const data: TypedArray = make(sizeOf(shape));
      await writeNpy(at("random.npy"), volume(data, shape));
      const { array } = await readNpy(at("random.npy"));
      assert.equal(array.shape, shape);
      assert.is(array.data.constructor, data.constructor);
      assertClose(array.data, data, {});
      assert.is(readFileSync(at("random.npy")).byteLength % 64, data.byteLength % 64, "elements start on 64 bytes");
    }),
    { numRuns: 100, seed: 3 },
  );
});

test("writes views row-major", async () => {
  const whole = ndarray(
    Float32Array.from({ length: 24 }, (_, i) => i),
    [4, 6],
  );
  await writeNpy(at("view.npy"), whole.lo(1, 2).hi(3, 3).transpose(1, 0));
  const { array } = await readNpy(at("view.npy"));
  assert.equal(array.shape, [3, 3]);
  assert.equal([...array.data], [8, 14, 20, 9, 15, 21, 10, 16, 22]);
});

test("turns Fortran order into row-major", async () => {
  const elements = new Uint8Array(new Int16Array([1, 4, 2, 5, 3, 6]).buffer);
  writeFileSync(at("fortran.npy"), npyWith("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", elements));
  const { array } = await readNpy(at("fortran.npy"));
  assert.equal([...array.data], [1, 2, 3, 4, 5, 6]);
  assert.is(array.get(1, 0), 4);
});

test("reads versions 2 and 3 and keys in any order", async () => {
  for (const version of [2, 3]) {
    writeFileSync(
      at("v.npy"),
      npyWith("{'shape': (2,), 'fortran_order': False, 'descr': '|u1'}", Buffer.from([7, 9]), version),
    );
    assert.equal([...(await readNpy(at("v.npy"))).array.data], [7, 9]);
  }
});

test("refuses 64-bit integers that float64 cannot hold", async () => {
  const header = "{'descr': '<u8', 'fortran_order': False, 'shape': (2,), }";
  writeFileSync(at("big.npy"), npyWith(header, new Uint8Array(new BigUint64Array([5n, 2n ** 60n]).buffer)));
  assert.equal([...(await readNpy(at("big.npy"))).array.data], [5, 2 ** 60]);
  writeFileSync(at("big.npy"), npyWith(header, new Uint8Array(new BigUint64Array([5n, 2n ** 60n + 1n]).buffer)));
  assert.match(
    (await assertRejects(() => readNpy(at("big.npy")), "ERR_SINO_IO_FORMAT")).message,
    /1152921504606846977/,
  );
});

test("refuses what is wrong, in a sentence", async () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["empty", new Uint8Array(0), /expected 10 bytes .* found 0/],
    ["magic", Buffer.from("this is no array at all"), /expected a \.npy file/],
    ["version", npyWith("{}", undefined, 1).fill(9, 6, 7), /found 9\.0/],
    [
      "short",
      npyWith("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", new Uint8Array(23)),
      /takes 24 bytes.* only 23/,
    ],
    ["huge", npyWith("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"), /only 0/],
    [
      "overflow",
      npyWith(`{'descr': '<f4', 'fortran_order': False, 'shape': (${"9".repeat(30)},), }`),
      /non-negative dimensions/,
    ],
    ["complex", npyWith("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(8)), /found "<c8"/],
    ["records", npyWith("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }"), /records/],
    ["header", npyWith("{'descr': '<f4'}"), /descr, fortran_order and shape/],
    ["pickle", npyWith("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(8)), /found "\|O"/],
  ];
  for (const [name, bytes, message] of cases) {
    writeFileSync(at(`${name}.npy`), bytes);
    const error = await assertRejects(() => readNpy(at(`${name}.npy`)), "ERR_SINO_IO_FORMAT");
    assert.match(error.message, message);
    assert.match(error.message, `${name}.npy`);
  }
  await assertRejects(() => readNpy(at("absent.npy")), "ERR_SINO_IO");
  await assertRejects(() => readNpy(folder), "ERR_SINO_IO");
});

test("survives damaged files", async () => {
  await writeNpy(at("whole.npy"), volume(new Float32Array(60), [3, 4, 5]));
  await assertSurvivesDamage(readFileSync(at("whole.npy")), at("damaged.npy"), readNpy, { headerLength: 128 });
});

test.skipUnless(numpy, noNumpy)("writes the very bytes that numpy writes", async () => {
  const shapes = [
    [],
    [0],
    [1],
    [7],
    [3, 5],
    [2, 3, 4],
    [1, 1, 1, 1, 1],
    [1234567, 0],
    [100000, 0, 3, 100, 1000, 10000, 1, 1, 1, 1],
  ];
  const cases = makers.flatMap((make) =>
    shapes.map((shape) => ({
      data: make(sizeOf(shape)),
      shape,
      dtype: make(0).constructor.name.replace("Array", "").toLowerCase(),
    })),
  );
  for (const [i, { data, shape }] of cases.entries()) await writeNpy(at(`ours${i}.npy`), volume(data, shape));
  const script = `
import sys, json, io, numpy as np
folder, cases = sys.argv[1], json.loads(sys.argv[2])
bad = []
for i, (shape, dtype) in enumerate(cases):
    ours = open(f"{folder}/ours{i}.npy", "rb").read()
    a = np.load(io.BytesIO(ours))
    theirs = io.BytesIO(); np.save(theirs, a)
    if list(a.shape) != shape or a.dtype != dtype or theirs.getvalue() != ours: bad.append([i, shape, dtype])
print(json.dumps(bad))`;
  assert.equal(pythonJson(script, folder, JSON.stringify(cases.map(({ shape, dtype }) => [shape, dtype]))), []);
});

test.skipUnless(numpy, noNumpy)("reads what numpy writes: every type, byte order and memory order", async () => {
  const script = `
import sys, json, numpy as np
folder = sys.argv[1]; out = []
for i, dtype in enumerate(["b1","i1","u1"] + [o + k for o in "<>" for k in ("i2","u2","i4","u4","i8","u8","f2","f4","f8")]):
    for order in "CF":
        a = (np.arange(24).reshape(2, 3, 4) * 3 % 31 - (0 if dtype[-2] in "ub" else 12)).astype(dtype)
        if dtype[-2] == "f": a = np.asfortranarray(a / np.array(3, dtype)) if order == "F" else a / np.array(3, dtype)
        a = a.astype(dtype, order=order)
        if dtype[-2:] == "f2": a[0, 0] = [np.inf, -np.inf, 6e-8, -0.0]
        name = f"np{i}{order}.npy"; np.save(f"{folder}/{name}", a)
        out.append([name, [repr(float(x)) for x in a.ravel()]])
print(json.dumps(out))`;
  for (const [name, values] of pythonJson(script, folder) as [string, string[]][]) {
    const { array } = await readNpy(at(name));
    assert.equal(array.shape, [2, 3, 4]);
    assertClose(
      array.data,
      values.map((v) => Number(v.replace("inf", "Infinity"))),
      {},
      name,
    );
  }
});

test.run();
