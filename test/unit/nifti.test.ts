import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { sizeOf, volume } from "../../lib/core/arrays.ts";
import { type Affine, readNifti, writeNifti } from "../../lib/data/nifti.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("nifti");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const nibabel = pythonHas("nibabel");
const noNibabel = "python3 with nibabel is not installed";

const kinds = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array];
const oblique: Affine = [
  [-0.9, 0.1, 0.2, 12.5],
  [0.1, 0.85, -0.4, -3],
  [0.13, 0.3, 2.3, 40],
  [0, 0, 0, 1],
];

function assertAffine(actual: Affine, expected: Affine, atol = 1e-5): void {
  assertClose(actual.flat(), expected.flat(), { atol }, "affine");
}

test("writes and reads back every type at random shapes, plain and compressed", async () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(
      shapes,
      fc.constantFrom(...kinds),
      fc.constantFrom(".nii", ".nii.gz"),
      async (shape, Kind, extension) => {
        const data = Kind.from(Array.from({ length: sizeOf(shape) }, (_, i) => (i * 37) % 101));
        await writeNifti(at(`random${extension}`), volume(data, shape), { spacing: shape.map((_, i) => i + 0.5) });
        const image = await readNifti(at(`random${extension}`));
        assert.equal(image.array.shape, shape);
        assert.equal(
          image.spacing,
          shape.map((_, i) => i + 0.5),
        );
        assert.is(image.array.data.constructor, Kind);
        assertClose(image.array.data, data, {});
      },
    ),
    { numRuns: 60, seed: 2 },
  );
});

test("counts the fastest index last and puts its spacing in the affine", async () => {
  const array = volume(
    Int16Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );
  await writeNifti(at("order.nii"), array, { spacing: [5, 2, 1], description: "ordered" });
  const bytes = readFileSync(at("order.nii"));
  assert.equal(
    [0, 1, 2, 3].map((i) => bytes.readInt16LE(40 + 2 * i)),
    [3, 4, 3, 2],
  );
  assert.is(bytes.readInt16LE(352 + 2), 1, "the next column comes next");
  const image = await readNifti(at("order.nii"));
  assert.equal(image.affine, [
    [1, 0, 0, 0],
    [0, 2, 0, 0],
    [0, 0, 5, 0],
    [0, 0, 0, 1],
  ]);
  assert.is(image.description, "ordered");
});

test("keeps an oblique affine, with and without shear, mirrored too", async () => {
  const rotated: Affine = [
    [0, -2, 0, 1],
    [3, 0, 0, 2],
    [0, 0, 4, 3],
    [0, 0, 0, 1],
  ];
  const mirrored: Affine = [
    [0, 2, 0, 1],
    [3, 0, 0, 2],
    [0, 0, 4, 3],
    [0, 0, 0, 1],
  ];
  for (const affine of [oblique, rotated, mirrored]) {
    await writeNifti(at("affine.nii"), volume(new Uint8Array(8), [2, 2, 2]), { affine });
    assertAffine((await readNifti(at("affine.nii"))).affine, affine);
    const bytes = readFileSync(at("affine.nii"));
    assert.is(bytes.readInt16LE(252), affine === oblique ? 0 : 2, "a qform only where there is no shear");
    if (affine === oblique) continue;
    bytes.writeInt16LE(0, 254);
    writeFileSync(at("qform.nii"), bytes);
    assertAffine((await readNifti(at("qform.nii"))).affine, affine);
  }
});

test("applies slope and intercept, or not when the stored values are wanted", async () => {
  await writeNifti(at("scaled.nii"), volume(Int16Array.of(-1, 0, 10, 32767), [4]));
  const bytes = readFileSync(at("scaled.nii"));
  bytes.writeFloatLE(0.5, 112);
  bytes.writeFloatLE(-1024, 116);
  writeFileSync(at("scaled.nii"), bytes);
  const image = await readNifti(at("scaled.nii"));
  assert.equal([...image.array.data], [-1024.5, -1024, -1019, 15359.5]);
  assert.instance(image.array.data, Float32Array);
  const stored = await readNifti(at("scaled.nii"), { stored: true });
  assert.equal([...stored.array.data], [-1, 0, 10, 32767]);
  assert.equal(stored.scaling, { slope: 0.5, intercept: -1024 });

  await writeNifti(at("again.nii"), stored.array, { header: stored.header, stored: true });
  assert.ok(readFileSync(at("again.nii")).equals(bytes), "stored values and header come out byte for byte");
  await writeNifti(at("again.nii"), image.array, { header: image.header });
  assert.equal([...(await readNifti(at("again.nii"))).array.data], [...image.array.data]);
});

test("keeps a header with its extensions byte for byte; adapts size and type when they change", async () => {
  await writeNifti(at("plain.nii"), volume(new Float32Array(24).fill(2), [2, 3, 4]), {
    affine: oblique,
    description: "kept",
  });
  const plain = readFileSync(at("plain.nii"));
  const extension = Buffer.alloc(32, "x");
  extension.writeInt32LE(32, 0);
  extension.writeInt32LE(6, 4);
  plain[348] = 1;
  plain.writeFloatLE(384, 108);
  plain.write("aux", 228);
  const original = Buffer.concat([plain.subarray(0, 352), extension, plain.subarray(352)]);
  writeFileSync(at("extended.nii"), original);
  const { array, header } = await readNifti(at("extended.nii"));
  await writeNifti(at("copy.nii"), array, { header });
  assert.ok(readFileSync(at("copy.nii")).equals(original));
  await writeNifti(at("copy.nii.gz"), array, { header, level: 1 });
  assert.ok(gunzipSync(readFileSync(at("copy.nii.gz"))).equals(original));

  await writeNifti(at("smaller.nii"), volume(new Int16Array(12).fill(7), [3, 4]), { header });
  const smaller = await readNifti(at("smaller.nii"));
  assert.equal(smaller.array.shape, [3, 4]);
  assert.is(smaller.dtype, "int16");
  assertAffine(smaller.affine, oblique);
  assert.is(Buffer.from(smaller.header.bytes).toString("latin1", 228, 231), "aux");
  assert.is(Buffer.from(header.bytes).readInt16LE(40), 3, "the caller's header is not changed");
});

test("uses NIfTI-2 for long dimensions", async () => {
  await writeNifti(at("long.nii"), volume(new Uint8Array(80000).fill(3), [2, 40000]), { affine: oblique });
  const image = await readNifti(at("long.nii"));
  assert.is(image.header.version, 2);
  assert.equal(image.array.shape, [2, 40000]);
  assertAffine(image.affine, oblique, 1e-12);
});

test("tells compression by the bytes and verifies the checksum at the end", async () => {
  await writeNifti(
    at("c.nii.gz"),
    volume(
      Float32Array.from({ length: 5000 }, (_, i) => i % 7),
      [50, 100],
    ),
  );
  const bytes = readFileSync(at("c.nii.gz"));
  writeFileSync(at("misnamed.nii"), bytes);
  assert.equal((await readNifti(at("misnamed.nii"))).array.shape, [50, 100]);
  bytes[bytes.length - 6]! ^= 1;
  writeFileSync(at("flipped.nii.gz"), bytes);
  assert.match(
    (await assertRejects(() => readNifti(at("flipped.nii.gz")), "ERR_SINO_IO_FORMAT")).message,
    /gzip data are damaged/,
  );
  // What follows the image is not wanted, but the checksum covers it.
  const tail = gzipSync(Buffer.concat([gunzipSync(readFileSync(at("c.nii.gz"))), Buffer.alloc(3 << 20)]));
  writeFileSync(at("tail.nii.gz"), tail);
  assert.equal((await readNifti(at("tail.nii.gz"))).array.shape, [50, 100]);
  tail[tail.length - 6]! ^= 1;
  writeFileSync(at("tail.nii.gz"), tail);
  await assertRejects(() => readNifti(at("tail.nii.gz")), "ERR_SINO_IO_FORMAT");
  writeFileSync(at("cut.nii.gz"), bytes.subarray(0, bytes.length / 2));
  await assertRejects(() => readNifti(at("cut.nii.gz")), "ERR_SINO_IO_FORMAT");
});

test("refuses what is wrong, in a sentence", async () => {
  await writeNifti(at("good.nii"), volume(new Float32Array(24), [2, 3, 4]));
  const good = readFileSync(at("good.nii"));
  const edited = (edit: (bytes: Buffer) => void): Buffer => {
    const copy = Buffer.from(good);
    edit(copy);
    return copy;
  };
  const cases: [string, Buffer, RegExp][] = [
    ["empty", Buffer.alloc(0), /expected 4 bytes/],
    ["other", Buffer.alloc(400, "text"), /starts with 348 or 540/],
    ["analyze", edited((b) => b.fill(0, 344, 348)), /Analyze 7\.5/],
    ["cut", good.subarray(0, 440), /takes 96 bytes.* only 88/],
    ["rank", edited((b) => b.writeInt16LE(8, 40)), /1 to 7 dimensions but found 8/],
    ["negative", edited((b) => b.writeInt16LE(-3, 42)), /positive dimensions/],
    ["absurd", edited((b) => [42, 44, 46].forEach((o) => void b.writeInt16LE(32767, o))), /only 96/],
    ["complex", edited((b) => b.writeInt16LE(32, 70)), /found complex64/],
    ["offset", edited((b) => b.writeFloatLE(1e12, 108)), /cut short/],
    ["offset2", edited((b) => b.writeFloatLE(Number.NaN, 108)), /vox_offset NaN/],
    ["pair", edited((b) => b.write("ni1", 344)), /separate \.img/],
  ];
  for (const [name, bytes, message] of cases)
    for (const [file, content] of [
      [`${name}.nii`, bytes],
      [`${name}.nii.gz`, gzipSync(bytes)],
    ] as const) {
      writeFileSync(at(file), content);
      const error = await assertRejects(() => readNifti(at(file)), "ERR_SINO_IO_FORMAT");
      if (file.endsWith("nii")) assert.match(error.message, message);
    }
  await assertRejects(() => readNifti(at("absent.nii")), "ERR_SINO_IO");
  await assertRejects(() => writeNifti(at("x.img"), volume(new Float32Array(1), [1])), "ERR_SINO_UNSUPPORTED");
  await assertRejects(
    () => writeNifti(at("x.nii"), volume(new Float32Array(1), [1]), { spacing: [1, 2] }),
    "ERR_SINO_SHAPE",
  );
});

test("survives damaged files, plain and compressed", async () => {
  await writeNifti(at("small.nii"), volume(new Int16Array(24), [2, 3, 4]), { affine: oblique });
  await assertSurvivesDamage(readFileSync(at("small.nii")), at("damaged.nii"), (p) => readNifti(p), {
    headerLength: 360,
  });
  await writeNifti(at("small.nii.gz"), volume(new Int16Array(24), [2, 3, 4]));
  await assertSurvivesDamage(readFileSync(at("small.nii.gz")), at("damaged.nii.gz"), (p) => readNifti(p), {
    runs: 200,
  });
});

test.skipUnless(nibabel, noNibabel)("nibabel reads what we write", async () => {
  const shape = [2, 3, 4, 5];
  const values = (Kind: (typeof kinds)[number]) => Kind.from(Array.from({ length: 120 }, (_, i) => i));
  for (const Kind of kinds)
    await writeNifti(at(`w_${Kind.name}.nii.gz`), volume(values(Kind), shape), { affine: oblique });
  await writeNifti(at("w_long.nii"), volume(new Int16Array(80000), [2, 40000]), { affine: oblique });
  const rotated: Affine = [
    [0, 2, 0, 1],
    [3, 0, 0, 2],
    [0, 0, 4, 3],
    [0, 0, 0, 1],
  ];
  await writeNifti(at("w_rotated.nii"), volume(new Int16Array(8), [2, 2, 2]), { affine: rotated });
  const script = `
import sys, json, glob, os, numpy as np, nibabel as nib
out = {}
for f in sorted(glob.glob(sys.argv[1] + "/w_*")):
    i = nib.load(f); a = np.asarray(i.dataobj)
    q = i.get_qform(coded=True)
    out[os.path.basename(f)[2:].split(".")[0]] = [type(i).__name__, list(a.shape), str(a.dtype), float(a[-1, -1, -1, -1]) if a.ndim == 4 else 0,
      i.affine.tolist(), None if q[1] == 0 else q[0].tolist(), list(i.header.get_xyzt_units())]
print(json.dumps(out))`;
  const seen = pythonJson(script, folder) as Record<
    string,
    [string, number[], string, number, Affine, Affine | null, string[]]
  >;
  for (const Kind of kinds) {
    const [type, dims, dtype, last, affine, , units] = seen[Kind.name]!;
    assert.equal(
      [type, dims, dtype, last, units],
      ["Nifti1Image", [5, 4, 3, 2], Kind.name.replace("Array", "").toLowerCase(), 119, ["mm", "sec"]],
    );
    assertAffine(affine, oblique);
  }
  assert.is(seen["long"]![0], "Nifti2Image");
  assertAffine(seen["rotated"]![5]!, rotated);
});

test.skipUnless(nibabel, noNibabel)(
  "we read what nibabel writes: types, byte orders, pairs, scaling, qform only, units, RGB",
  async () => {
    const script = `
import sys, json, numpy as np, nibabel as nib
folder = sys.argv[1]; out = []
rng = np.random.default_rng(0)
R = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.diag([0.7, 1.1, 3.3])
A = np.eye(4); A[:3, :3] = R; A[:3, 3] = [1, -20, 300]
def note(name, i):
    i = nib.load(f"{folder}/{name}"); a = np.asanyarray(i.dataobj)
    if a.dtype.fields: a = np.stack([a[c] for c in a.dtype.names], 0)
    out.append([name, list(a.shape)[::-1], a.astype("f8").ravel("F").tolist(), i.affine.tolist(), [float(z) for z in i.header.get_zooms()][::-1]])
def save(name, i):
    nib.save(i, f"{folder}/{name}"); note(name, i)
a = (rng.normal(size=(5, 4, 3, 2)) * 40).round()
for n, dt in enumerate(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]):
    for end in "<>":
        for kind, K in (("n1", nib.Nifti1Image), ("n2", nib.Nifti2Image)):
            b = (np.abs(a) if dt[0] == "u" else a).astype(dt)
            h = K.header_class(endianness=end); h.set_data_dtype(np.dtype(dt).newbyteorder(end))
            save(f"r{n}{'L' if end == '<' else 'B'}{kind}.nii" + (".gz" if n % 2 else ""), K(b, A, h))
save("pair.hdr", nib.Nifti1Pair(a.astype("i2"), A))
s = nib.Nifti1Image(a, A); s.header.set_data_dtype("i2"); s.header.set_slope_inter(0.25, -7); save("scaled.nii", s)
q = nib.Nifti1Image(a.astype("f4"), None); q.set_qform(A, 1); q.set_sform(None, 0); save("qform.nii", q)
rgb = np.zeros((4, 3, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]); rgb["R"] = 1; rgb["G"] = 2; rgb["B"][1, 1, 1] = 9
save("rgb.nii", nib.Nifti1Image(rgb, A))
print(json.dumps(out))`;
    type Row = [string, number[], number[], Affine, number[]];
    const rows = pythonJson(script, folder) as Row[];
    assert.ok(rows.length > 40);
    for (const [name, shape, values, affine, zooms] of rows) {
      const image = await readNifti(at(name));
      assert.equal(image.array.shape, shape, name);
      assertClose(image.array.data, values, { rtol: 1e-6 }, name);
      assertAffine(image.affine, affine);
      assertClose(image.spacing, zooms, { rtol: 1e-6 }, name);
      if (name === "pair.hdr") {
        assertClose((await readNifti(at("pair.img"))).array.data, values, {});
        await writeNifti(at("joined.nii"), image.array, { header: image.header });
        const joined = await readNifti(at("joined.nii"));
        assertClose(joined.array.data, values, {});
        assertAffine(joined.affine, affine);
      }
      if (!name.endsWith(".nii")) continue;
      const stored = await readNifti(at(name), { stored: true });
      if (/^r[67]/.test(name)) continue; // 64-bit integers are written back as float64
      await writeNifti(at("copy.nii"), stored.array, { header: stored.header, stored: true });
      assert.ok(readFileSync(at("copy.nii")).equals(readFileSync(at(name))), `${name} is copied byte for byte`);
    }
  },
);

test.run();
