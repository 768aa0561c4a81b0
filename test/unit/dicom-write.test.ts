/** Only here: what a derived series keeps to the byte, what it says anew, and that nothing is left half-written. */
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import dicomParser from "dicom-parser";
import * as assert from "uvu/assert";
import { type CtSeries, readSeries } from "../../lib/data/dicom/read.ts";
import { derivedUid } from "../../lib/data/dicom/uid.ts";
import { type WriteDerivedOptions, writeDerivedSeries } from "../../lib/data/dicom/write.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { type CtOptions, type FileOptions, ramp, writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom write");
const root = temporaryFolder();
let folders = 0;
const newPath = () => join(root, String(folders++));
const how = {
  description: "NMAR",
  derivation: "Metal artefact reduction",
  configuration: { method: "nmar", hu: 2500 },
};
const pixels = 30;

async function sourceOf(
  count: number,
  each?: (index: number) => CtOptions & { file?: FileOptions },
): Promise<CtSeries> {
  const folder = newPath();
  writeCtSeries(folder, count, each);
  return readSeries(folder);
}

async function derive(series: CtSeries, options: Partial<WriteDerivedOptions> = {}) {
  const out = newPath();
  return { out, ...(await writeDerivedSeries(series, series.volume, { out, ...how, ...options })) };
}

/** Every element of an Explicit VR LE file as hex of its value, header VR included, by dicom-parser. */
function elementsOf(path: string): Map<string, string> {
  const bytes = readFileSync(path);
  const { elements } = dicomParser.parseDicom(bytes);
  return new Map(
    Object.values(elements).map((e) => [
      e.tag,
      `${e.vr} ${bytes.toString("hex", e.dataOffset, e.dataOffset + e.length)}`,
    ]),
  );
}

const edited = [
  ..."x00020000 x00020003 x00020012 x00020013 x00080008 x00080018 x0008103e x00082111 x00082112".split(" "),
  ..."x0018a001 x0020000e x00200011 x00280106".split(" "),
];

for (const undefinedLengths of [false, true])
  test(`only the elements of a derivation differ${undefinedLengths ? ", undefined lengths" : ""}`, async () => {
    const source = await sourceOf(2, () => ({ file: { undefinedLengths } }));
    const { files } = await derive(source);
    for (const [i, file] of files.entries()) {
      const before = elementsOf(source.slices[i]!.file);
      const after = elementsOf(file);
      const different = [...new Set([...before.keys(), ...after.keys()])].filter(
        (tag) => before.get(tag) !== after.get(tag),
      );
      assert.equal(different.sort(), edited.toSorted());
    }
  });

test("says that it is derived, from what, by what", async () => {
  const source = await sourceOf(2);
  const { files, seriesUid } = await derive(source);
  const data = dicomParser.parseDicom(readFileSync(files[1]!));
  assert.is(data.string("x00080008"), "DERIVED\\PRIMARY\\AXIAL");
  assert.is(data.string("x0008103e"), "synthetic NMAR");
  assert.is(data.string("x00082111"), "Metal artefact reduction");
  assert.is(data.string("x0020000e"), seriesUid);
  assert.is(data.string("x00080018"), data.string("x00020003"));
  assert.is(data.string("x00200011"), "9003");
  const image = data.elements["x00082112"]!.items![0]!.dataSet!;
  assert.is(image.string("x00081155"), source.slices[1]!.sopInstanceUid);
  assert.is(image.elements["x0040a170"]!.items![0]!.dataSet!.string("x00080100"), "121322");
  const equipment = data.elements["x0018a001"]!.items![0]!.dataSet!;
  assert.is(equipment.string("x00081090"), "sinogram");
  assert.is(equipment.elements["x0040a170"]!.items![0]!.dataSet!.string("x00080100"), "109102");
});

test("equipment named earlier stays, in both ways of writing sequences", async () => {
  for (const undefinedLengths of [false, true]) {
    const earlier: CtOptions = { extra: [[0x0018a001, "SQ", [[[0x00080070, "LO", "Scanner Co"]]]]] };
    const source = await sourceOf(1, () => ({ ...earlier, file: { undefinedLengths } }));
    const first = await derive(source);
    const second = await derive(await readSeries(first.out));
    const data = dicomParser.parseDicom(readFileSync(second.files[0]!));
    const names = data.elements["x0018a001"]!.items!.map((item) => item.dataSet!.string("x00080070"));
    assert.equal(names, ["Scanner Co", "sinogram", "sinogram"]);
  }
});

test("UIDs follow from source and configuration, and a rerun is byte-identical", async () => {
  const source = await sourceOf(2);
  const a = await derive(source);
  const b = await derive(source, { configuration: { hu: 2500, method: "nmar" } });
  const c = await derive(source, { configuration: { hu: 2501, method: "nmar" } });
  assert.ok(readFileSync(a.files[1]!).equals(readFileSync(b.files[1]!)));
  assert.is.not(a.seriesUid, c.seriesUid);
  assert.match(a.seriesUid, /^2\.25\.[1-9]\d{30,38}$/);
  const uuid = BigInt(derivedUid("1.2", {}).slice(5)).toString(16).padStart(32, "0");
  assert.is(uuid[12], "8");
  assert.match(uuid[16]!, /[89ab]/);
});

for (const syntax of ["implicit", "bigEndian", "deflated"] as const)
  test(`a ${syntax} source becomes the explicit one's twin`, async () => {
    const ambiguous: CtOptions = {
      extra: [
        [0x00280120, "SS", [-2000]],
        [0x00281101, "SS", [1, 2, 3]],
        [0x00189305, "FD", [0.5]],
      ],
    };
    const explicit = elementsOf((await derive(await sourceOf(1, () => ambiguous))).files[0]!);
    const source = await sourceOf(1, () => ({ ...ambiguous, file: { syntax, undefinedLengths: true } }));
    const { files } = await derive(source);
    const found = elementsOf(files[0]!);
    assert.equal([...found.keys()].sort(), [...explicit.keys()].sort());
    for (const [tag, value] of explicit) {
      const isPrivateNumber = tag === "x00091002"; // FD, which an implicit file does not say
      const expected = syntax === "implicit" && isPrivateNumber ? value.replace("FD", "UN") : value;
      if (tag === "x00321064") assert.match(found.get(tag)!, /^SQ feff00e0/);
      else assert.is(found.get(tag), expected, tag);
    }
  });

test("unchanged slices keep their stored bytes, changed ones their HU; depth and sign widen as needed", async () => {
  const twelve = Uint16Array.from({ length: pixels }, (_, i) => (i * 137) % 4096);
  const source = await sourceOf(4, () => ({ pixels: twelve, bitsStored: 12, intercept: -1024 }));
  const hu = source.volume;
  hu.data[pixels] = 9000; // beyond 12 bits
  hu.data[2 * pixels] = -1500; // below what unsigned pixels hold
  hu.data[3 * pixels] = 99_999; // beyond 16 bits, signed or not
  const { files, clippedPixels, out } = await derive(source, { changed: [false, true, true, true] });
  assert.is(clippedPixels, 1);
  const parsed = files.map((file) => dicomParser.parseDicom(readFileSync(file)));
  assert.equal(
    parsed.map((d) => d.uint16("x00280101")),
    [12, 16, 16, 16],
  );
  assert.equal(
    parsed.map((d) => d.uint16("x00280102")),
    [11, 15, 15, 15],
  );
  assert.equal(
    parsed.map((d) => d.uint16("x00280103")),
    [0, 0, 1, 0],
  );
  assert.ok(elementsOf(files[0]!).get("x7fe00010") === elementsOf(source.slices[0]!.file).get("x7fe00010"));
  const again = await readSeries(out);
  hu.data[3 * pixels] = 65535 - 1024;
  assertClose(again.volume.data, hu.data, {}, "HU");
});

test("values are rounded to the nearest by each slice's own rescale", async () => {
  const source = await sourceOf(2, (i) => ({ slope: i + 0.5, intercept: 10 * i }));
  for (let i = 0; i < source.volume.data.length; i++) source.volume.data[i]! += 0.2;
  const again = await readSeries((await derive(source)).out);
  assertClose(
    again.volume.data.subarray(0, pixels),
    source.volume.data.subarray(0, pixels),
    { atol: 0.2501 },
    "slope 0.5",
  );
  assertClose(again.volume.data.subarray(pixels), source.volume.data.subarray(pixels), { atol: 0.7501 }, "slope 1.5");
});

test("padding values follow a change of sign, or go", async () => {
  const stored = new Uint16Array(pixels);
  for (const [padding, expected] of [
    [0, "SS 0000"],
    [63536, undefined],
  ] as const) {
    const source = await sourceOf(1, () => ({
      pixels: stored,
      intercept: -1024,
      extra: [[0x00280120, "US", [padding]]],
    }));
    source.volume.data[3] = -2000;
    assert.is(elementsOf((await derive(source)).files[0]!).get("x00280120"), expected);
  }
});

test("long descriptions are shortened where a byte is a character, and never break others", async () => {
  const long = "x".repeat(64);
  const utf8 = Buffer.from("ä".repeat(32)).toString("latin1");
  const cases: [string, string, string][] = [
    ["ISO_IR 100", long, `${"x".repeat(59)} NMAR`],
    ["ISO_IR 192", utf8, `${"ä".repeat(32)} NMAR`],
    ["\\ISO 2022 IR 87", `\x1b$B;3ED\x1b(B`, "山田 NMAR"],
    ["ISO_IR 100", "", "NMAR"],
  ];
  for (const [set, text, expected] of cases) {
    const source = await sourceOf(1, () => ({
      extra: [
        [0x00080005, "CS", set],
        [0x0008103e, "LO", text],
      ],
    }));
    assert.is((await readSeries((await derive(source)).out)).description, expected);
  }
});

test("odd numbers of 8-bit pixels are padded", async () => {
  const source = await sourceOf(1, () => ({
    rows: 3,
    columns: 3,
    pixels: Uint8Array.from({ length: 9 }, (_, i) => i),
  }));
  const { files } = await derive(source, { changed: [false] });
  assert.is(elementsOf(files[0]!).get("x7fe00010"), "OB 00010203040506070800");
});

test("the target: new, empty, in use, overwritten, the source itself, a file, not writable", async () => {
  const source = await sourceOf(3);
  const out = newPath();
  mkdirSync(out);
  const options = { out, ...how };
  await writeDerivedSeries(source, source.volume, options);
  assert.equal(readdirSync(out).sort(), ["0001.dcm", "0002.dcm", "0003.dcm"]);
  const error = await assertRejects(() => writeDerivedSeries(source, source.volume, options), "ERR_SINO_IO");
  assert.match(error.message, /not empty/);
  writeFileSync(join(out, "0004.dcm"), "old");
  writeFileSync(join(out, "report.html"), "mine");
  await writeDerivedSeries(source, source.volume, { ...options, overwrite: true });
  assert.equal(readdirSync(out).sort(), ["0001.dcm", "0002.dcm", "0003.dcm", "report.html"]);
  const folder = join(source.slices[0]!.file, "..");
  await assertRejects(
    () => writeDerivedSeries(source, source.volume, { ...options, out: folder, overwrite: true }),
    "ERR_SINO_IO",
  );
  await assertRejects(
    () => writeDerivedSeries(source, source.volume, { ...options, out: join(out, "0001.dcm") }),
    "ERR_SINO_IO",
  );
  await assertRejects(
    () => writeDerivedSeries(source, source.volume, { ...options, out: "/proc/sinogram" }),
    "ERR_SINO_IO",
  );
});

test("a failure or an abort in the middle leaves nothing behind", async () => {
  const source = await sourceOf(12);
  const parent = newPath();
  mkdirSync(parent);
  const out = join(parent, "out");
  const controller = new AbortController();
  const reason = new Error("enough");
  const onProgress = () => controller.abort(reason);
  try {
    await writeDerivedSeries(source, source.volume, { out, ...how, signal: controller.signal, onProgress });
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
  assert.equal(readdirSync(parent), []);
  unlinkSync(source.slices[7]!.file);
  const error = await assertRejects(() => writeDerivedSeries(source, source.volume, { out, ...how }), "ERR_SINO_IO");
  assert.match(error.message, source.slices[7]!.file);
  assert.equal(readdirSync(parent), []);
});

test("wrong arguments", async () => {
  const source = await sourceOf(2);
  const { volume } = source;
  const bad: [Partial<WriteDerivedOptions>, string][] = [
    [{ changed: [true] }, "ERR_SINO_SHAPE"],
    [{ description: "" }, "ERR_SINO_ARG_TYPE"],
    [{ description: "a\\b" }, "ERR_SINO_ARG_TYPE"],
    [{ derivation: "über" }, "ERR_SINO_ARG_TYPE"],
    [{ out: "" }, "ERR_SINO_ARG_TYPE"],
    [{ configuration: null as unknown as object }, "ERR_SINO_ARG_TYPE"],
  ];
  for (const [options, code] of bad) await assertRejects(() => derive(source, options), code);
  const out = newPath();
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  await assertRejects(
    () => writeDerivedSeries(source, volume, { out, ...how, configuration: cyclic }),
    "ERR_SINO_ARG_TYPE",
  );
  await assertRejects(() => writeDerivedSeries(source, volume.hi(1), { out, ...how }), "ERR_SINO_SHAPE");
  await assertRejects(() => writeDerivedSeries(source, volume.transpose(0, 2, 1), { out, ...how }), "ERR_SINO_SHAPE");
  assert.is(existsSync(out), false);
});

test("a source that has changed meanwhile is refused", async () => {
  const source = await sourceOf(2);
  const other = await sourceOf(2, (i) => ({ instance: i + 5 }));
  writeFileSync(source.slices[0]!.file, readFileSync(other.slices[0]!.file));
  await assertRejects(() => derive(source), "ERR_SINO_IO_FORMAT");
});

test("dcmjs reads the derived files", async () => {
  const require = createRequire(createRequire(import.meta.url).resolve("dcmjs-codecs"));
  const dcmjs = require("dcmjs") as {
    log: { setLevel(level: string): void };
    data: {
      DicomMessage: { readFile(bytes: ArrayBuffer): { dict: Record<string, { vr: string; Value: unknown[] }> } };
    };
  };
  dcmjs.log.setLevel("silent");
  const extra: CtOptions["extra"] = [[0x00080005, "CS", "ISO_IR 100"]]; // dcmjs cannot read several character sets
  const source = await sourceOf(1, () => ({ extra, file: { syntax: "implicit" } }));
  const bytes = readFileSync((await derive(source)).files[0]!);
  const { dict } = dcmjs.data.DicomMessage.readFile(new Uint8Array(bytes).buffer);
  assert.equal(dict["00080008"]?.Value, ["DERIVED", "PRIMARY", "AXIAL"]);
  assert.is(dict["00280010"]?.vr, "US");
  assertClose(new Int16Array(dict["7FE00010"]!.Value[0] as ArrayBuffer), ramp(6, 5, 1), {}, "pixels");
});

test.skipUnless(pythonHas("pydicom", "numpy"), "pydicom is not installed")(
  "pydicom reads the derived files",
  async () => {
    const source = await sourceOf(1, () => ({ file: { syntax: "bigEndian", undefinedLengths: true } }));
    const script = `
import json, sys, pydicom
d = pydicom.dcmread(sys.argv[1])
print(json.dumps({"name": str(d.PatientName), "type": list(d.ImageType), "pixels": d.pixel_array.ravel().tolist(),
  "protocol": d[0x00321064][0].CodeValue, "number": d[0x00091002].value, "raw": list(d[0x00091001].value)}))`;
    const found = pythonJson(script, (await derive(source)).files[0]!) as Record<string, unknown>;
    assert.is(found["name"], "Yamada^Tarou=山田^太郎");
    assert.equal(found["type"], ["DERIVED", "PRIMARY", "AXIAL"]);
    assert.is(found["protocol"], "HEAD");
    assert.equal(found["number"], [Math.PI, -1.5]);
    assert.equal(found["raw"], [1, 2, 3, 4, 5, 6]);
    assertClose(found["pixels"] as number[], ramp(6, 5, 1), {}, "pixels");
  },
);

test.run();
