import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isCodedError } from "../../lib/core/errors.ts";
import { listHdf5, readDataExchange, readHdf5, readMat73Array } from "../../lib/data/hdf5.ts";
import { importOptional } from "../../lib/data/optional.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("hdf5");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const h5wasm = await import("h5wasm/node").catch(() => undefined);
const withH5wasm = test.skipUnless(h5wasm, "the optional package h5wasm is not installed");
const h5py = pythonHas("h5py") && h5wasm;
const noH5py = "python3 with h5py, or h5wasm, is not installed";

const counts = Float32Array.from({ length: 6 * 4 * 5 }, (_, i) => i);

/** A small DataExchange file, made with h5wasm itself. */
async function makeScan(name: string, { units = "degrees", views = 6 } = {}): Promise<string> {
  await h5wasm!.ready;
  const file = new h5wasm!.File(at(name), "w");
  const exchange = file.create_group("exchange");
  exchange.create_dataset({ name: "data", data: counts, shape: [6, 4, 5], chunks: [2, 2, 5], compression: "gzip" });
  exchange.create_dataset({ name: "data_white", data: counts.slice(0, 40), shape: [2, 4, 5] });
  exchange.create_dataset({ name: "data_dark", data: new Uint16Array(20).fill(7), shape: [1, 4, 5] });
  exchange.create_dataset({ name: "theta", data: Float64Array.from({ length: views }, (_, i) => i / 2) });
  (exchange.get("theta") as InstanceType<NonNullable<typeof h5wasm>["Dataset"]>).create_attribute("units", units);
  file.create_dataset({ name: "title", data: "a scan" });
  file.close();
  return at(name);
}

withH5wasm("reads a dataset, and boxes of it, in its own type", async () => {
  const path = await makeScan("scan.h5");
  const whole = await readHdf5(path, "/exchange/data");
  assert.equal([whole.array.shape, whole.dtype, whole.key], [[6, 4, 5], "float32", "/exchange/data"]);
  assertClose(whole.array.data, counts, {});
  const box = await readHdf5(path, "exchange/data", { ranges: [[1, 3], undefined, [4, 5]] });
  assert.equal(box.array.shape, [2, 4, 1]);
  assert.equal([...box.array.data], [24, 29, 34, 39, 44, 49, 54, 59]);
  assert.instance((await readHdf5(path, "/exchange/data_dark")).array.data, Uint16Array);
  assert.equal((await readHdf5(path, "/exchange/data", { ranges: [[2, 2]] })).array.shape, [0, 4, 5]);
  for (const range of [
    [0, 7],
    [-1, 2],
    [3, 2],
    [0.5, 1],
  ] as const)
    await assertRejects(() => readHdf5(path, "/exchange/data", { ranges: [range] }), "ERR_SINO_OUT_OF_RANGE");
});

withH5wasm("lists what exists where the wanted dataset does not", async () => {
  const path = await makeScan("scan.h5");
  const list = await listHdf5(path);
  assert.equal(list.find((entry) => entry.key === "/title")?.dtype, undefined);
  assert.equal(
    list.find((entry) => entry.key === "/exchange/theta"),
    { key: "/exchange/theta", shape: [6], dtype: "float64" },
  );
  const error = await assertRejects(() => readHdf5(path, "/exchange/dat"), "ERR_SINO_IO_FORMAT");
  assert.match(error.message, /no dataset "\/exchange\/dat"; it holds \/exchange\/data \(6 × 4 × 5\), /);
  assert.match((await assertRejects(() => readHdf5(path), "ERR_SINO_IO_FORMAT")).message, /name one of its datasets/);
  await assertRejects(() => readHdf5(path, "/exchange"), "ERR_SINO_IO_FORMAT");
  assert.match(
    (await assertRejects(() => readHdf5(path, "/title"), "ERR_SINO_IO_FORMAT")).message,
    /expected real numbers/,
  );
});

withH5wasm("reads DataExchange, all or one row, angles in degrees whatever their unit", async () => {
  const path = await makeScan("scan.h5");
  const all = await readDataExchange(path);
  assert.equal(
    [all.data.shape, all.flats!.shape, all.darks!.shape],
    [
      [6, 4, 5],
      [2, 4, 5],
      [1, 4, 5],
    ],
  );
  assert.equal([...all.theta!], [0, 0.5, 1, 1.5, 2, 2.5]);
  const one = await readDataExchange(path, { row: 3 });
  assert.equal(
    [one.data.shape, one.flats!.shape, one.darks!.shape],
    [
      [6, 5],
      [2, 5],
      [1, 5],
    ],
  );
  assert.equal([...one.data.data.subarray(0, 6)], [15, 16, 17, 18, 19, 35]);
  await assertRejects(() => readDataExchange(path, { row: 4 }), "ERR_SINO_OUT_OF_RANGE");
  const radians = await readDataExchange(await makeScan("radians.h5", { units: "radians" }));
  assertClose(
    radians.theta!,
    [0, 0.5, 1, 1.5, 2, 2.5].map((t) => (t * 180) / Math.PI),
    { rtol: 1e-15 },
  );
  const fewer = await makeScan("fewer.h5", { views: 5 });
  assert.match(
    (await assertRejects(() => readDataExchange(fewer), "ERR_SINO_IO_FORMAT")).message,
    /6 views but found 5/,
  );
});

withH5wasm("refuses wrong and damaged files, in a sentence", async () => {
  const whole = readFileSync(await makeScan("scan.h5"));
  writeFileSync(at("text.h5"), "no HDF5 here");
  assert.match((await assertRejects(() => readHdf5(at("text.h5")), "ERR_SINO_IO_FORMAT")).message, /no HDF5 signature/);
  writeFileSync(at("empty.h5"), "");
  await assertRejects(() => readHdf5(at("empty.h5")), "ERR_SINO_IO_FORMAT");
  writeFileSync(at("cut.h5"), whole.subarray(0, whole.length - 300));
  assert.match(
    (await assertRejects(() => readHdf5(at("cut.h5"), "/x"), "ERR_SINO_IO_FORMAT")).message,
    /truncated file/,
  );
  await assertRejects(() => readHdf5(at("absent.h5")), "ERR_SINO_IO");
});

withH5wasm("survives damaged files, and good files are still read after many failures", async () => {
  const path = await makeScan("scan.h5");
  await assertSurvivesDamage(readFileSync(path), at("damaged.h5"), (p) => readHdf5(p, "/exchange/data"), {
    headerLength: 6000,
    runs: 400,
  });
  await assertSurvivesDamage(readFileSync(path), at("damaged.h5"), (p) => readDataExchange(p), {
    headerLength: 6000,
    runs: 100,
    seed: 9,
  });
  assertClose((await readHdf5(path, "/exchange/data")).array.data, counts, {});
});

test("says how to install a package that is missing", async () => {
  const missing = () => import("./no-such-package.ts" as string);
  const error = await assertRejects(
    () => importOptional("no-such-package", "Reading HDF5", missing),
    "ERR_SINO_UNSUPPORTED",
  );
  assert.is(
    error.message,
    "Reading HDF5 needs the optional package no-such-package, which is not installed. Type: npm install no-such-package.",
  );
  try {
    await importOptional("other", "Reading", () => Promise.reject(new Error("broken inside")));
    assert.unreachable();
  } catch (other) {
    assert.not.ok(isCodedError(other), "a package that is there but fails is not reported as missing");
  }
});

test.skipUnless(h5py, noH5py)("reads what h5py writes: types, byte orders, layouts, pieces, MATLAB 7.3", async () => {
  const script = `
import sys, json, numpy as np, h5py
out = {}
rng = np.random.default_rng(0)
with h5py.File(sys.argv[1] + "/types.h5", "w") as f:
    for dt in ["?","i1","u1"] + [o + k for o in "<>" for k in ("i2","u2","i4","u4","i8","u8","f2","f4","f8")]:
        a = (rng.random((3, 4)) * 50).astype(dt)
        name = dt.replace("<", "le").replace(">", "be").replace("?", "bool")
        f[name] = a; out[name] = a.astype("f8").ravel().tolist()
    a = np.arange(60.0).reshape(3, 4, 5)
    f.create_dataset("chunked", data=a, chunks=(2, 3, 2), compression="gzip", shuffle=True, fletcher32=True)
    f["scalar"] = np.float32(2.5); f["none"] = h5py.Empty("f4"); f["complex"] = np.zeros(2, "c8")
    f.create_dataset("sparse", shape=(1 << 20, 1 << 20), chunks=(64, 64), dtype="f8")
big = (np.arange(9000 * 4000, dtype="u4") % 65521).astype("u2").reshape(9, 1000, 4000)
with h5py.File(sys.argv[1] + "/big.h5", "w") as f: f.create_dataset("a", data=np.concatenate([big] * 2), chunks=(5, 1000, 4000))
m = np.arange(24.0).reshape(2, 3, 4)
with h5py.File(sys.argv[1] + "/v73.mat", "w", userblock_size=512) as f:
    f["m"] = m.T; f["m"].attrs["MATLAB_class"] = np.bytes_("double")
    f["s/inner"] = m[0].T
    f["none"] = np.array([0, 3], "u8"); f["none"].attrs["MATLAB_empty"] = np.uint8(1)
head = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\\x00\\x02IM"
with open(sys.argv[1] + "/v73.mat", "r+b") as f: f.write(head)
print(json.dumps(out))`;
  const types = pythonJson(script, folder) as Record<string, number[]>;
  assert.is(Object.keys(types).length, 21);
  for (const [key, values] of Object.entries(types)) {
    const { array } = await readHdf5(at("types.h5"), key);
    assert.equal(array.shape, [3, 4]);
    assertClose(array.data, values, {}, key);
  }
  assertClose(
    (await readHdf5(at("types.h5"), "chunked")).array.data,
    Array.from({ length: 60 }, (_, i) => i),
    {},
  );
  const scalar = (await readHdf5(at("types.h5"), "/scalar")).array;
  assert.equal([scalar.shape, scalar.data[0]], [[], 2.5]);
  for (const key of ["none", "complex", "sparse"])
    await assertRejects(() => readHdf5(at("types.h5"), key), "ERR_SINO_IO_FORMAT");

  const big = (await readHdf5(at("big.h5"), "a")).array;
  assert.equal(big.shape, [18, 1000, 4000]);
  let wrong = 0;
  for (let i = 0; i < big.data.length; i += 997) if (big.data[i] !== (i % 36_000_000) % 65521) wrong++;
  assert.is(wrong, 0);

  assert.equal((await readMat73Array(at("v73.mat"), "m")).array.shape, [2, 3, 4]);
  assertClose(
    (await readMat73Array(at("v73.mat"), "m")).array.data,
    Array.from({ length: 24 }, (_, i) => i),
    {},
  );
  assert.equal((await readMat73Array(at("v73.mat"), "s.inner")).array.shape, [3, 4]);
  assert.equal((await readMat73Array(at("v73.mat"), "none")).array.shape, [0, 3]);
});

test.run();
