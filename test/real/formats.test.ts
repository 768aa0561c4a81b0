/** Real files in every array format, against numpy, scipy, nibabel and h5py where they are installed. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as assert from "uvu/assert";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { readDataExchange } from "../../lib/data/hdf5.ts";
import { listMatArrays, type MatValue, readMat, readMatArray } from "../../lib/data/mat5.ts";
import { readNifti, writeNifti } from "../../lib/data/nifti.ts";
import { assertClose } from "../support/assert-close.ts";
import { noRealData, realData } from "../support/data.ts";
import { temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("real formats");
const folder = temporaryFolder();

function filesIn(name: string, ending: string): string[] {
  const path = realData(name);
  return path
    ? readdirSync(path)
        .filter((file) => file.endsWith(ending))
        .map((file) => join(path, file))
    : [];
}

/** Shape, sum, sum of squares and a weighted sum that notices swapped axes: enough to tell whether two arrays are one. */
interface Digest {
  shape: number[];
  sums: number[];
}

function digest(data: ArrayLike<number>, shape: readonly number[]): Digest {
  const sums = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    sums[0]! += value;
    sums[1]! += value * value;
    sums[2]! += value * (i % 1009);
  }
  return { shape: [...shape], sums };
}

const pythonDigest = `
import sys, json, numpy as np
def digest(a):
    v = np.asarray(a, "f8").ravel()
    return {"shape": list(np.shape(a)), "sums": [float(v.sum()), float((v * v).sum()), float((v * (np.arange(v.size) % 1009)).sum())]}
`;

function assertSame(actual: Digest, expected: Digest, what: string, rtol = 1e-9): void {
  assert.equal(actual.shape, expected.shape, what);
  const scale = Math.sqrt(Math.max(1, expected.sums[1]! * actual.shape.reduce((n, m) => n * m, 1)));
  assertClose(actual.sums, expected.sums, { rtol, atol: rtol * scale }, what);
}

const matFiles = ["ct-metal", "masks", "tables", "sinograms/htc2022"].flatMap((name) => filesIn(name, ".mat"));
const niftiFiles = [...filesIn("dwi", ".nii"), ...filesIn("mri", ".nii.gz")];

test.skipUnless(matFiles.length > 0, noRealData)("reads every MATLAB file", async () => {
  for (const file of matFiles) assert.ok(listMatArrays(await readMat(file)).length > 0, file);
});

test.skipUnless(matFiles.length > 0 && pythonHas("scipy.io"), `${noRealData}, or python3 with scipy`)(
  "MATLAB files: every array as scipy reads it",
  async () => {
    const script = `${pythonDigest}
import scipy.io as sio
def walk(name, v, out):
    if isinstance(v, np.ndarray) and v.dtype.names:
        assert v.size == 1
        for f in v.dtype.names: walk(name + "." + f, v[0, 0][f], out)
    elif isinstance(v, np.ndarray) and v.dtype.kind in "uif": out[name] = digest(v)
    elif isinstance(v, np.ndarray) and v.dtype == object:
        for i in np.ndindex(v.shape): walk(name + "".join("." + str(j) for j in i), v[i], out)
out = {}
for f in sys.argv[1:]:
    m = sio.loadmat(f); out[f] = {}
    for k, v in m.items():
        if not k.startswith("__"): walk(k, v, out[f])
print(json.dumps(out))`;
    const expected = pythonJson(script, ...matFiles) as Record<string, Record<string, Digest>>;
    let count = 0;
    for (const [file, arrays] of Object.entries(expected)) {
      assert.equal(listMatArrays(await readMat(file)).sort(), Object.keys(arrays).sort(), file);
      for (const [name, wanted] of Object.entries(arrays)) {
        const { array } = await readMatArray(file, name);
        assertSame(digest(array.data, array.shape), wanted, `${basename(file)}:${name}`);
        count++;
      }
    }
    assert.ok(count >= matFiles.length);
  },
);

test.skipUnless(realData("ct-metal/naist_head_with_metal_label.mat"), noRealData)(
  "the head with a metal label is a struct",
  async () => {
    const { sample } = (await readMat(realData("ct-metal/naist_head_with_metal_label.mat")!)) as {
      sample: Record<string, MatValue>;
    };
    const image = await readArray(
      `${realData("ct-metal/naist_head_with_metal_label.mat")}:sample.${Object.keys(sample)[0]}`,
    );
    assert.equal(image.array.shape, [512, 512]);
  },
);

test.skipUnless(niftiFiles.length > 0, noRealData)(
  "NIfTI: headers and images survive being read and written",
  async () => {
    for (const file of niftiFiles) {
      const { array, header } = await readNifti(file, { stored: true });
      await writeNifti(join(folder, "copy.nii"), array, { header, stored: true });
      const original = readFileSync(file);
      const plain = file.endsWith(".gz") ? gunzipSync(original) : original;
      assert.ok(readFileSync(join(folder, "copy.nii")).equals(plain), file);
    }
  },
);

test.skipUnless(niftiFiles.length > 0 && pythonHas("nibabel"), `${noRealData}, or python3 with nibabel`)(
  "NIfTI: values, spacing and affine as nibabel reads them",
  async () => {
    const script = `${pythonDigest}
import nibabel as nib
out = []
for f in sys.argv[1:]:
    i = nib.load(f); d = digest(np.asanyarray(i.dataobj).T)
    out.append([f, d, i.affine.ravel().tolist(), [float(z) for z in i.header.get_zooms()][::-1]])
print(json.dumps(out))`;
    for (const [file, wanted, affine, zooms] of pythonJson(script, ...niftiFiles) as [
      string,
      Digest,
      number[],
      number[],
    ][]) {
      const { array, meta } = await readArray(file);
      // Slope and intercept are applied in float32 here, in float64 there.
      assertSame(digest(array.data, array.shape), wanted, file, 1e-7);
      assertClose(meta.affine!.flat(), affine, { atol: 1e-5 }, `affine of ${file}`);
      assertClose(meta.spacing!, zooms, { rtol: 1e-6 }, `spacing of ${file}`);
    }
  },
);

const tooth = realData("sinograms/tomopy_tooth.h5");
test.skipUnless(tooth, noRealData)("DataExchange: the tooth, whole and by row", async () => {
  const scan = await readDataExchange(tooth!);
  assert.equal(
    [scan.data.shape, scan.flats!.shape, scan.darks!.shape],
    [
      [181, 2, 640],
      [10, 2, 640],
      [10, 2, 640],
    ],
  );
  assert.is(scan.theta!.length, 181);
  assertClose([scan.theta![0]!, scan.theta![180]!], [0, 179], { atol: 1.1 }, "theta in degrees");
  const row = await readDataExchange(tooth!, { row: 1 });
  assert.is(row.data.get(90, 300), scan.data.get(90, 1, 300));
  assert.is(row.flats!.get(9, 639), scan.flats!.get(9, 1, 639));
});

test.skipUnless(tooth && pythonHas("h5py"), `${noRealData}, or python3 with h5py`)(
  "HDF5: the tooth as h5py reads it",
  async () => {
    const script = `${pythonDigest}
import h5py
f = h5py.File(sys.argv[1]); print(json.dumps({k: digest(f["exchange/" + k][()]) for k in ("data", "data_white", "data_dark", "theta")}))`;
    for (const [key, wanted] of Object.entries(pythonJson(script, tooth!) as Record<string, Digest>)) {
      const { array } = await readArray(`${tooth}:/exchange/${key}`);
      assertSame(digest(array.data, array.shape), wanted, key);
    }
  },
);

const flat = [
  "ct-metal/patient0281_4555169_042.npy",
  ...filesIn("ct-metal", ".raw").map((file) => `ct-metal/${basename(file)}:512x512:f32`),
  "sinograms/xcist_equiangular_1000x900_f32.raw:1000x900",
  "sinograms/xcist_reference_fdk_512_f32.raw:512x512",
];
const root = realData("ct-metal/patient0281_4555169_042.npy")?.replace(/ct-metal.*$/, "");
test.skipUnless(root && pythonHas("numpy"), `${noRealData}, or python3 with numpy`)(
  "NPY and raw: as numpy reads them; what we write too",
  async () => {
    const script = `${pythonDigest}
out = []
for spec in sys.argv[1:]:
    path, *rest = spec.split(":")
    a = np.load(path) if path.endswith("npy") else np.fromfile(path, "<f4").reshape([int(n) for n in rest[0].split("x")])
    out.append(digest(a))
print(json.dumps(out))`;
    const specs = flat.map((spec) => root + spec);
    for (const [i, wanted] of (pythonJson(script, ...specs) as Digest[]).entries()) {
      const { array } = await readArray(specs[i]!);
      assertSame(digest(array.data, array.shape), wanted, flat[i]!);
      await writeArray(join(folder, `out${i}.npy`), array);
    }
    const written = specs.map((_, i) => join(folder, `out${i}.npy`));
    assert.equal(pythonJson(script, ...written), pythonJson(script, ...specs));
  },
);

test.skipUnless(realData("sinograms/sarepy_neutron_360.tif"), noRealData)("TIFF: the neutron sinogram", async () => {
  const file = realData("sinograms/sarepy_neutron_360.tif")!;
  const { array, meta } = await readArray(file);
  assert.equal([array.shape, meta.dtype], [[459, 503], "uint16"]);
  // Uncompressed, big-endian, one strip: the bytes that tag 273 (StripOffsets) points to are the values.
  const bytes = readFileSync(file);
  const entries = Array.from({ length: bytes.readUInt16BE(8) }, (_, i) => 10 + 12 * i);
  const stripAt = bytes.readUInt32BE(entries.find((at) => bytes.readUInt16BE(at) === 273)! + 8);
  const strip = Buffer.from(bytes.subarray(stripAt, stripAt + 2 * 459 * 503)).swap16();
  assert.ok(strip.equals(Buffer.from(array.data.buffer, array.data.byteOffset, array.data.byteLength)));
});

test.run();
