/** The command line from end to end: what must run, and every bad input with its sentence, its exit code and nothing left behind. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { readSeries } from "../../lib/data/dicom/read.ts";
import { writeNifti } from "../../lib/data/nifti.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { cli, ended, type Outcome, startCli } from "../support/cli.ts";
import { type CtOptions, ctSlice, dicomBytes, writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("cli");
const folder = temporaryFolder();
const at = (...parts: string[]) => join(folder, ...parts);
const size = 64;
const views = 90;
const bins = 97;

function isMetal(row: number, column: number): boolean {
  return Math.hypot(row - 24, column - 40) < 3 || Math.hypot(row - 40, column - 24) < 2.5;
}

/** A disk of water with two pins of metal, HU. */
function phantomHu(withMetal = true): Int16Array {
  return Int16Array.from({ length: size * size }, (_, i) => {
    const [row, column] = [Math.floor(i / size), i % size];
    if (withMetal && isMetal(row, column)) return 6000;
    return Math.hypot(row - 31.5, column - 31.5) < 26 ? 40 : -1000;
  });
}

const geometry = {
  beam: "parallel",
  bins,
  binMm: 1,
  angles: { span: 180, count: views },
  image: { shape: [size, size], pixelMm: 1 },
};
const slice = (pixels: Int16Array): CtOptions => ({ rows: size, columns: size, pixels, bitsStored: 14 });
/** Three slices, metal in the middle one. */
const seriesSlice = (index: number): CtOptions => slice(phantomHu(index === 1));

const files = {
  geometry: at("geometry.json"),
  hu: at("hu.npy"),
  mask: at("mask.npy"),
  sinogram: at("sinogram.npy"),
  series: at("series"),
};

const setUp = (async () => {
  writeFileSync(files.geometry, JSON.stringify(geometry));
  await writeNpy(files.hu, volume(Float32Array.from(phantomHu()), [size, size]));
  const mask = Uint8Array.from({ length: size * size }, (_, i) => (isMetal(Math.floor(i / size), i % size) ? 1 : 0));
  await writeNpy(files.mask, volume(mask, [size, size]));
  writeCtSeries(files.series, 3, seriesSlice);
  const made = await cli("project", files.hu, "--hu", "--geometry", files.geometry, "-o", files.sinogram);
  assert.is(made.code, 0, made.stderr);
})();

/** Exactly one line on stderr with the code, besides remarks; the sentence matches. */
function assertFails(outcome: Outcome, code: number, sentence: RegExp): void {
  const lines = outcome.stderr.trim().split("\n");
  const line = lines.at(-1)!;
  assert.is(outcome.code, code, outcome.stderr);
  assert.match(line, /^sinogram: .*\. \[[A-Z_]+\]$/);
  assert.match(line, sentence);
  assert.not.match(outcome.stderr, /\n\s+at /);
}

const left = (path = folder): string[] => readdirSync(path).sort();
const reconstruction = (...more: string[]) => ["reconstruct", files.sinogram, "--geometry", files.geometry, ...more];

test("reconstruct and project are each other's inverse, with records", async () => {
  await setUp;
  const out = at("back.npy");
  const { code, stderr, stdout } = await cli(
    ...reconstruction("--filter", "hann", "--cutoff", "0.8", "--hu", "-o", out),
  );
  assert.is(code, 0, stderr);
  assert.is(stdout, "");
  const { array } = await readNpy(out);
  assert.equal(array.shape, [size, size]);
  assert.ok(Math.abs(array.get(32, 10)! - 40) < 60, `water is ${array.get(32, 10)} HU`);
  const record = JSON.parse(readFileSync(at("back.json"), "utf8"));
  assert.is(record.software, "sinogram");
  assert.is(record.unit, "HU");
  assert.is(record.filter, "hann");
  assert.is(record.cutoff, 0.8);
  assert.is(record.muWater, 0.0192);
  assert.is(record.geometry.angles.length, views);
});

test("reconstruct iteratively, and what goes with it", async () => {
  await setUp;
  const out = at("sirt.npy");
  const more = ["--method", "os-sart", "--iterations", "4", "--subsets", "5", "--non-negative", "-o", out];
  const { code, stderr } = await cli(...reconstruction(...more));
  assert.is(code, 0, stderr);
  const record = JSON.parse(readFileSync(at("sirt.json"), "utf8"));
  assert.is(record.method, "os-sart");
  assert.is(record.residuals.length, 4);
  assert.ok(record.residuals[3] < 0.1);
  assert.ok((await readNpy(out)).array.data.every((v) => v >= 0));
  const usage = await cli(...reconstruction("--iterations", "3", "-o", out));
  assertFails(usage, 2, /--iterations is for iterative methods/);
});

test("a record takes no other file's place", async () => {
  await setUp;
  const own = at("own.json");
  writeFileSync(own, JSON.stringify(geometry));
  const { code } = await cli("reconstruct", files.sinogram, "--geometry", own, "-o", at("own.npy"));
  assert.is(code, 0);
  assert.is(JSON.parse(readFileSync(own, "utf8")).beam, "parallel");
  assert.ok(existsSync(at("own.npy.json")));
});

test("mar of a sinogram, metal out and metal in, with a report", async () => {
  await setUp;
  mkdirSync(at("raw"));
  const given = ["mar", "--sinogram", files.sinogram, "--metal-mask", files.mask, "--geometry", files.geometry];
  for (const method of ["li", "nmar"]) {
    const { code, stderr } = await cli(...given, "--method", method, "-o", at("raw", `${method}.npy`));
    assert.is(code, 0, stderr);
  }
  const inverted = await cli(
    ...given,
    "--method",
    "polychromatic",
    "--physics",
    "auto",
    "--json",
    "-o",
    at("raw", "poly.npy"),
  );
  assert.is(inverted.code, 0, inverted.stderr);
  assert.is(JSON.parse(inverted.stdout).slices[0].verdict, "full");
  const found = ["mar", "--sinogram", files.sinogram, "--geometry", files.geometry, "--method", "auto"];
  assert.is((await cli(...found, "-o", at("raw", "auto.npy"))).code, 0);
  const { code, stderr } = await cli(...given, "--reinsert", "--report", "-o", at("raw", "in.npy"));
  assert.is(code, 0, stderr);
  const [without, within] = await Promise.all(["nmar", "in"].map((name) => readNpy(at("raw", `${name}.npy`))));
  assert.ok(without!.array.get(24, 40)! < 0.03, "metal is still there");
  assert.ok(within!.array.get(24, 40)! > 0.08, "metal is not back");
  assert.equal(
    left(at("raw")).filter((name) => !name.endsWith(".json") && !name.endsWith(".npy")),
    ["after.png", "before.png", "difference.png", "report.html"],
  );
});

test("mar of a DICOM series: slices without metal stay, a rerun makes the same bytes", async () => {
  await setUp;
  const given = ["mar", files.series, "--method", "nmar", "--metal-hu", "3000", "--report", "--json", "-o"];
  const first = await cli(...given, at("derived"));
  assert.is(first.code, 0, first.stderr);
  const { metalSlices, slices } = JSON.parse(first.stdout);
  assert.equal([metalSlices, slices], [1, 3]);
  const [source, derived] = [await readSeries(files.series), await readSeries(at("derived"))];
  const pixels = size * size;
  const same = (index: number) =>
    Buffer.compare(
      Buffer.from(source.volume.data.buffer, source.volume.data.byteOffset + index * pixels * 4, pixels * 4),
      Buffer.from(derived.volume.data.buffer, derived.volume.data.byteOffset + index * pixels * 4, pixels * 4),
    ) === 0;
  assert.equal([same(0), same(1), same(2)], [true, false, true]);
  assert.is(derived.volume.get(1, 24, 40), 6000);
  const bits = derived.slices.map(({ bitsStored }) => bitsStored);
  assert.equal(bits, [14, 16, 14], "slices without metal were stored anew");
  const record = JSON.parse(readFileSync(at("derived", "sinogram.json"), "utf8"));
  assert.equal(
    record.metalPixels.map((n: number) => n > 0),
    [false, true, false],
  );

  assert.is((await cli(...given, at("again"))).code, 0);
  for (const name of ["0001.dcm", "0002.dcm", "0003.dcm"])
    assert.ok(readFileSync(at("derived", name)).equals(readFileSync(at("again", name))), name);
});

test("an earlier result is replaced only with --overwrite, and leaves nothing of itself", async () => {
  await setUp;
  const out = at("replaced");
  assert.is((await cli("mar", files.series, "-o", out, "--report")).code, 0);
  writeFileSync(join(out, "0009.dcm"), "left over");
  writeFileSync(join(out, "mine.txt"), "a note");
  assertFails(await cli("mar", files.series, "-o", out), 3, /not empty.*--overwrite/);
  assert.is((await cli("mar", files.series, "-o", out, "--overwrite")).code, 0);
  assert.equal(left(out), ["0001.dcm", "0002.dcm", "0003.dcm", "mine.txt", "sinogram.json"]);
});

test("mar of image files takes the pixel size from the header or the command line", async () => {
  await setUp;
  const nii = at("hu.nii.gz");
  await writeNifti(nii, volume(Float32Array.from(phantomHu()), [1, size, size]), { spacing: [2, 0.8, 0.8] });
  const fromHeader = await cli("mar", nii, "-o", at("from-header.nii.gz"), "--method", "li");
  assert.is(fromHeader.code, 0, fromHeader.stderr);
  assert.is((await cli("mar", files.hu, "--pixel-mm", "0.8", "-o", at("from-flag.npy"), "--method", "li")).code, 0);
  assertFails(await cli("mar", files.hu, "-o", at("no.npy")), 3, /--pixel-mm/);
});

test("no metal is no failure, and is said", async () => {
  await setUp;
  const { code, stderr } = await cli("mar", files.series, "-o", at("nothing"), "--metal-hu", "9000");
  assert.is(code, 0);
  assert.match(stderr, /No metal was found at or above 9000 HU/);
  assert.ok(existsSync(at("nothing", "0003.dcm")));
});

test("several series: an error that lists them, --series, --all", async () => {
  await setUp;
  const both = at("both");
  writeCtSeries(join(both, "a"), 2, seriesSlice);
  writeCtSeries(join(both, "b"), 2, (i) => ({ ...seriesSlice(i), series: "1.2.3.200" }));
  assertFails(
    await cli("mar", both, "-o", at("one")),
    3,
    /1\.2\.3\.100.*1\.2\.3\.200.*--series UID, or all with --all/,
  );
  assertFails(await cli("mar", both, "-o", at("one"), "--series", "1.2.3.9"), 3, /Expected series 1\.2\.3\.9/);
  assert.is((await cli("mar", both, "-o", at("one"), "--series", "1.2.3.200")).code, 0);
  const all = await cli("mar", both, "-o", at("all"), "--all", "--json");
  assert.is(all.code, 0, all.stderr);
  assert.equal(left(at("all")), ["1.2.3.100", "1.2.3.200"]);
  const none = await cli("mar", both, "-o", at("none"), "--all", "--json", "--metal-hu", "9000");
  const warnings = JSON.parse(none.stdout).series.map((each: { warnings: string[] }) => each.warnings.length);
  assert.equal(warnings, [1, 1], "every series has its own warnings");

  const cut = readFileSync(join(both, "b", left(join(both, "b"))[0]!));
  writeFileSync(join(both, "b", left(join(both, "b"))[0]!), cut.subarray(0, cut.length - 500));
  const some = await cli("mar", both, "-o", at("some"), "--all", "--json");
  assert.is(some.code, 4, some.stderr);
  const { series, failed } = JSON.parse(some.stdout);
  assert.equal([series.length, failed.length], [1, 1]);
  assert.equal(left(at("some")), ["1.2.3.100"]);
});

test("evaluate prints a table, or one document", async () => {
  await setUp;
  const out = at("evaluated.npy");
  await cli(...reconstruction("-o", out));
  const mu = at("truth-mu.npy");
  const attenuation = Float32Array.from(phantomHu(), (hu) => 0.0192 * (1 + hu / 1000));
  await writeNpy(mu, volume(attenuation, [size, size]));
  const document = await cli("evaluate", out, mu, "--mask", files.mask, "--protocol", "syndeeplesion", "--json");
  assert.is(document.code, 0, document.stderr);
  const figures = JSON.parse(document.stdout);
  assert.is(figures.protocol, "syndeeplesion");
  assert.ok(figures.psnr > 15 && figures.ssim > 0.3 && figures.rmseHu > 0 && figures.slices.length === 1);
  const text = await cli("evaluate", out, mu);
  assert.match(text.stdout, /PSNR +\d+\.\d+ dB/);
  assert.match((await cli("evaluate", files.hu, files.hu)).stderr, /--unit hu/);
  assertFails(await cli("evaluate", out, files.sinogram), 3, /one shape/);
});

test("usage errors exit 2 and suggest what was meant", async () => {
  await setUp;
  const out = at("never.npy");
  for (const [args, sentence] of [
    [reconstruction("--filtre", "hann", "-o", out), /Did you mean --filter\?/],
    [["reconstrct"], /Did you mean reconstruct\?/],
    [reconstruction(), /--output/],
    [reconstruction("-o", out, "--filter", "han"), /ram-lak, shepp-logan/],
    [reconstruction("-o", out, "--cutoff", "1.5"), /up to 1/],
    [reconstruction("-o", out, "--device", "gpu"), /cuda:N/],
    [reconstruction("-o", out, "--threads", "0"), /1 to 1024/],
    [["mar", "-o", out], /DICOM folder/],
    [["mar", files.series, "--sinogram", files.sinogram, "-o", out], /not both/],
    [["mar", "--sinogram", files.sinogram, "-o", out], /--geometry/],
    [["mar", files.series, "--method", "polychromatic", "-o", out], /needs --sinogram/],
    [["mar", files.series, "--physics", "auto", "-o", out], /--physics/],
    [["mar", files.series, "--reinsert", "-o", out], /--reinsert/],
    [["mar", files.series, "--all", "--series", "1", "-o", out], /not both/],
    [["mar", files.series, "--method", "magic", "-o", out], /li, nmar/],
  ] as const)
    assertFails(await cli(...args), 2, sentence);
  assert.not.ok(existsSync(out));
  const { code, stdout } = await cli("reconstruct", "--json");
  assert.is(code, 2);
  assert.is(JSON.parse(stdout).error.code, "USAGE");
});

test("files that are missing, damaged, or of the wrong kind", async () => {
  await setUp;
  const out = at("never.npy");
  const write = (name: string, content: Uint8Array | string) => {
    writeFileSync(at(name), content);
    return at(name);
  };
  const sinogram = readFileSync(files.sinogram);
  const changed = (changes: object) => JSON.stringify({ ...geometry, ...changes });
  const nan = volume(new Float32Array(views * bins).fill(Number.NaN), [views, bins]);
  await writeNpy(at("nan.npy"), nan);
  await writeNpy(at("inf.npy"), volume(new Float32Array(views * bins).fill(Number.POSITIVE_INFINITY), [views, bins]));
  await writeNpy(at("line.npy"), volume(new Float32Array(bins), [bins]));
  await writeNpy(at("no-views.npy"), volume(new Float32Array(0), [0, bins]));
  await writeNpy(at("nan-image.npy"), volume(new Float32Array(size * size).fill(Number.NaN), [size, size]));
  const reconstruct = (name: string) => ["reconstruct", name, "--geometry", files.geometry, "-o", out];
  const by = (name: string) => ["reconstruct", files.sinogram, "--geometry", name, "-o", out];
  const before = left();
  for (const [args, sentence] of [
    [reconstruct(at("absent.npy")), /absent\.npy: no such file/],
    [reconstruct(write("empty.npy", "")), /empty\.npy/],
    [reconstruct(write("cut.npy", sinogram.subarray(0, 5000))), /cut\.npy/],
    [reconstruct(write("text.npy", "not an array")), /text\.npy/],
    [reconstruct(at("nan.npy")), /NaN/],
    [reconstruct(at("inf.npy")), /infinit/],
    [reconstruct(at("line.npy")), /shape \[97\]/],
    [reconstruct(at("no-views.npy")), /shape \[0, 97\]/],
    [reconstruct(files.hu), /views × bins 90 × 97.*\[64, 64\]/],
    [["project", files.sinogram, "--geometry", files.geometry, "-o", out], /rows × columns 64 × 64/],
    [["project", at("nan-image.npy"), "--geometry", files.geometry, "-o", out], /NaN/],
    [reconstruct(write("scan.xyz", "")), /\.xyz/],
    [by(at("absent.json")), /absent\.json/],
    [by(write("text.json", "{")), /not JSON/],
    [by(write("zero.json", changed({ angles: { span: 180, count: 0 } }))), /angles/],
    [by(write("none.json", changed({ angles: [] }))), /angles/],
    [by(write("typo.json", changed({ binmm: 2 }))), /binmm/],
    [by(write("short.json", changed({ bins: 96 }))), /90 × 96/],
    [reconstruction("--hu", "-o", at("x.png")), /full precision/],
  ] as const)
    assertFails(await cli(...args), 3, sentence);
  const made = [
    "empty.npy",
    "cut.npy",
    "text.npy",
    "scan.xyz",
    "text.json",
    "zero.json",
    "none.json",
    "typo.json",
    "short.json",
  ];
  assert.equal(left(), [...before, ...made].sort());
});

test("masks that are empty, full, of another shape, or not finite", async () => {
  await setUp;
  const masks = {
    empty: volume(new Uint8Array(size * size), [size, size]),
    full: volume(new Uint8Array(size * size).fill(1), [size, size]),
    other: volume(new Uint8Array(size).fill(1), [8, 8]),
    nan: volume(new Float32Array(size * size).fill(Number.NaN), [size, size]),
  };
  masks.other.set(0, 0, 0);
  for (const [name, sentence] of [
    ["empty", /empty/],
    ["full", /every pixel/],
    ["other", /64 × 64.*\[8, 8\]/],
    ["nan", /NaN/],
  ] as const) {
    await writeNpy(at(`${name}-mask.npy`), masks[name]);
    const given = ["--sinogram", files.sinogram, "--metal-mask", at(`${name}-mask.npy`), "--geometry", files.geometry];
    assertFails(await cli("mar", ...given, "-o", at("masked.npy")), 3, sentence);
  }
  assert.not.ok(existsSync(at("masked.npy")));
});

test("DICOM folders that are absent, empty, truncated, not CT, colour, mixed, or lack attributes", async () => {
  await setUp;
  const made = (name: string, ...contents: Uint8Array[]) => {
    mkdirSync(at(name), { recursive: true });
    contents.forEach((content, i) => {
      writeFileSync(at(name, `${i}`), content);
    });
    return at(name);
  };
  const file = (options: CtOptions = {}) => dicomBytes(ctSlice({ ...seriesSlice(1), ...options }));
  const without = (tag: number) => file({ extra: [[tag, "", undefined]] });
  const whole = file();
  const out = at("never");
  for (const [source, sentence] of [
    [at("absent"), /absent: no such file or folder/],
    [made("no-files"), /no DICOM image/],
    [made("no-dicom", Buffer.from("hello")), /no DICOM image/],
    [made("zero-bytes", new Uint8Array(0)), /no DICOM image/],
    [made("truncated", whole.subarray(0, whole.length - 2000)), /truncated/],
    [made("cut-head", whole.subarray(0, 300)), /cut-head/],
    [made("magnetic", file({ extra: [[0x00080060, "CS", "MR"]] })), /modality is MR/],
    [
      made(
        "colour",
        file({
          extra: [
            [0x00280004, "CS", "RGB"],
            [0x00280002, "US", [3]],
          ],
        }),
      ),
      /colour/,
    ],
    [made("no-spacing", without(0x00280030)), /PixelSpacing/],
    [made("no-rescale", without(0x00281053)), /RescaleSlope/],
    [made("no-pixels", without(0x7fe00010)), /without pixel data/],
    [made("mixed", whole, dicomBytes(ctSlice({ instance: 2 }))), /size/],
  ] as const)
    assertFails(await cli("mar", source, "-o", out), 3, sentence);
  assert.not.ok(existsSync(out));
});

test("outputs that cannot be written", async () => {
  await setUp;
  writeFileSync(at("file"), "");
  mkdirSync(at("a-folder"), { recursive: true });
  for (const [args, sentence] of [
    [reconstruction("-o", at("a-folder.npy", "x.npy")), /a-folder\.npy does not exist/],
    [reconstruction("-o", at("file", "x.npy")), /not a folder/],
    [reconstruction("-o", files.sinogram), /input of this command/],
    [reconstruction("-o", "/proc/sinogram-test.npy"), /\/proc\/sinogram-test\.npy/],
    [["mar", files.series, "-o", at("file")], /not a folder/],
    [["mar", files.series, "-o", at("absent", "deep")], /does not exist/],
    [["mar", files.series, "-o", files.series], /source series lies there|not empty/],
    [["mar", files.series, "-o", files.series, "--overwrite"], /source series lies there/],
    [["mar", files.series, "-o", "/proc/sinogram-test"], /\/proc\/sinogram-test/],
  ] as const)
    assertFails(await cli(...args), 3, sentence);
  mkdirSync(at("named.npy"), { recursive: true });
  assertFails(await cli(...reconstruction("-o", at("named.npy"))), 3, /it is a folder/);
  assert.is(left(files.series).length, 3);
});

test("an absent device exits 5, never falls back", async () => {
  await setUp;
  assertFails(await cli(...reconstruction("-o", at("cuda.npy"), "--device", "cuda:99")), 5, /cuda:99|CUDA/);
  assert.not.ok(existsSync(at("cuda.npy")));
});

test("doctor, in words and as a document", async () => {
  const text = await cli("doctor");
  assert.is(text.code, 0);
  assert.match(text.stdout, /sinogram is usable/);
  const { usable, addon, tools, packages } = JSON.parse((await cli("doctor", "--json")).stdout);
  assert.ok(usable && addon.loads && addon.simd && tools.length > 3 && packages.length > 5);
});

test("progress as lines of JSON, on stderr", async () => {
  await setUp;
  const { stderr } = await cli(...reconstruction("-o", at("progress.npy"), "--ndjson-progress", "--quiet"));
  const events = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.is(events.at(-1).done, events.at(-1).total);
});

const stopped = async (signal: "SIGINT" | "SIGTERM", expected: number, times = 1) => {
  await setUp;
  const [long, wide] = [at(`long-${signal}-${times}`), 512];
  const pixels = new Int16Array(wide * wide);
  for (let row = 200; row < 216; row++) pixels.fill(5000, row * wide + 300, row * wide + 316);
  writeCtSeries(long, 24, () => ({ rows: wide, columns: wide, pixels }));
  const before = left();
  const child = startCli(["mar", long, "-o", at("stopped"), "--report", "--ndjson-progress"]);
  let sent = false;
  child.stderr!.on("data", (text) => {
    if (!sent && String(text).includes('"correctImages"')) sent = child.kill(signal);
  });
  const outcome = await ended(child);
  assert.ok(sent, outcome.stderr);
  assert.is(outcome.code, expected, outcome.stderr);
  assert.match(outcome.stderr, /sinogram: Stopped by SIG.*\[INTERRUPTED\]/);
  assert.equal(left(), before);
};
test("SIGINT in the middle exits 130 and leaves nothing", () => stopped("SIGINT", 130));
test("SIGTERM in the middle exits 143 and leaves nothing", () => stopped("SIGTERM", 143));

test.skipUnless(existsSync("/dev/full"), "no /dev/full here")("a full disk behind stdout is an error", async () => {
  const full = openSync("/dev/full", "w");
  const outcome = await ended(startCli(["doctor", "--json"], full));
  closeSync(full);
  assertFails(outcome, 3, /disk is full/);
});

test("nothing temporary is left anywhere", async () => {
  await setUp;
  const names = readdirSync(folder, { recursive: true }).map((name) => basename(String(name)));
  assert.equal(
    names.filter((name) => name.includes(".tmp")),
    [],
  );
});

test.run();
