/** The small parts of the command line: option values, progress, failures, JSON. */
import * as assert from "uvu/assert";
import { Console, toJson } from "../../lib/cli/console.ts";
import { diagnosisText } from "../../lib/cli/doctor.ts";
import { exitCodeOf, failureDocument, failureLine, Interrupted, UsageError } from "../../lib/cli/failure.ts";
import { describeGeometry } from "../../lib/cli/mar-words.ts";
import { count, device, fraction, pixelSize, positiveNumber, range, threadCount } from "../../lib/cli/options.ts";
import { duration, progressText } from "../../lib/cli/progress.ts";
import { type ErrorCode, errorCodes, sinoError } from "../../lib/core/errors.ts";
import { parallelBeam } from "../../lib/tomography/geometry.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("cli words");

test("option values", () => {
  assert.is(positiveNumber("0.5"), 0.5);
  assert.is(fraction("1"), 1);
  assert.is(count("3"), 3);
  assert.is(device("cuda"), "cuda:0");
  assert.is(device("cuda:12"), "cuda:12");
  assert.equal(pixelSize("0.7"), [0.7, 0.7]);
  assert.equal(pixelSize("0.7,0.8"), [0.7, 0.8]);
  assert.equal(range("-160,240"), [-160, 240]);
  for (const [parse, text] of [
    [positiveNumber, "0"],
    [positiveNumber, ""],
    [positiveNumber, "1e999"],
    [positiveNumber, "1mm"],
    [fraction, "1.01"],
    [count, "2.5"],
    [threadCount, "1025"],
    [device, "cuda:x"],
    [device, "CPU"],
    [pixelSize, "1,2,3"],
    [pixelSize, "0"],
    [range, "5"],
    [range, "5,5"],
    [range, "1,2,3"],
  ] as const)
    assert.throws(() => parse(text), /Expected/, `${parse.name} of ${text}`);
});

test("durations and progress", () => {
  assert.equal([0.2, 59, 61, 3700].map(duration), ["0 s", "59 s", "1 min 01 s", "1 h 01 min"]);
  const text = progressText({ phase: "fbp", done: 25, total: 100 }, 10);
  assert.match(text, /^fbp .*█{6}░{18} +25 % +30 s left$/);
  assert.not.match(progressText({ phase: "fbp", done: 100, total: 100 }, 10), /left/);
  assert.match(progressText({ phase: "fbp", done: 0, total: 0 }, 0), /100 %/);
});

test("every code has an exit code, usage and signals have theirs", () => {
  const expected: Partial<Record<ErrorCode, number>> = {
    ERR_SINO_NATIVE_UNAVAILABLE: 5,
    ERR_SINO_NATIVE_ABI: 5,
    ERR_SINO_BACKEND_UNAVAILABLE: 5,
    ERR_SINO_DEVICE_LOST: 5,
    ERR_SINO_MODEL: 5,
    ERR_SINO_INTERNAL: 1,
    ERR_SINO_OUT_OF_MEMORY: 1,
  };
  for (const code of Object.keys(errorCodes) as ErrorCode[])
    assert.is(exitCodeOf(sinoError(code, "x.")), expected[code] ?? 3, code);
  assert.is(exitCodeOf(new UsageError("x")), 2);
  assert.is(exitCodeOf(new Interrupted("SIGINT")), 130);
  assert.is(exitCodeOf(new Interrupted("SIGTERM")), 143);
  for (const thrown of [new Error("x"), "text", undefined, null, { code: "ERR_SINO_IO" }])
    assert.is(exitCodeOf(thrown), 1);
});

test("an error is one line, whatever was thrown", () => {
  assert.is(failureLine(sinoError("ERR_SINO_SHAPE", "Expected\n  this.")), "sinogram: Expected this. [ERR_SINO_SHAPE]");
  for (const thrown of [new Error("a\nb"), "text", undefined, null, {}]) {
    assert.not.match(failureLine(thrown), /\n/);
    assert.match(failureLine(thrown), /\[ERR_SINO_INTERNAL\]$/);
  }
  assert.equal(failureDocument(sinoError("ERR_SINO_IO", "No.", { details: { path: "a" } })), {
    code: "ERR_SINO_IO",
    message: "No.",
    details: { path: "a" },
  });
});

test("JSON keeps lists of numbers on a line and stays JSON", () => {
  const document = {
    angles: [0, 0.5, -1e-7],
    text: "[1,\n2]",
    nested: [[1, 2], []],
    infinite: Number.POSITIVE_INFINITY,
  };
  const text = toJson(document);
  assert.match(text, /"angles": \[0, 0\.5, -1e-7\]/);
  assert.equal(JSON.parse(text), { ...document, infinite: null });
});

test("a terminal gets a line that is taken away, a file gets nothing", () => {
  const write = (isTTY: boolean) => {
    let text = "";
    const add = (more: string) => {
      text += more;
    };
    const stream = { isTTY, columns: 60, write: add } as unknown as NodeJS.WriteStream;
    const console = new Console({ stdout: stream, stderr: stream }, {});
    console.progress({ phase: "fbp", done: 1, total: 2 });
    console.warn("careful");
    console.warn("careful");
    console.close();
    return text;
  };
  assert.is(write(false), "warning: careful\n");
  const [first, drawn, rest, ...more] = write(true).split("\r\x1b[2K");
  assert.is(first, "");
  assert.match(drawn!, /^fbp .*50 %$/);
  assert.equal([rest, more], ["warning: careful\n", []]);
});

test("a geometry in a line", () => {
  const geometry = parallelBeam({ bins: 9, binMm: 0.5, angles: [0, 1], image: { shape: [4, 6], pixelMm: [1, 2] } });
  assert.is(describeGeometry(geometry), "parallel beam, 2 views, 9 bins of 0.5 mm; image 4 × 6, pixels of 1 × 2 mm");
});

test("a diagnosis says what to type where the addon does not load", () => {
  const text = diagnosisText({
    usable: false,
    version: "0.0.0",
    system: { node: "v20", platform: "linux-x64", os: "Linux", cpu: "x", processors: 2, memory: 2 ** 33 },
    addon: { loads: false, reason: "the reason" },
    tools: [{ name: "CMake", purpose: "builds the addon", type: "apt install cmake" }],
    packages: [{ name: "h5wasm", purpose: "HDF5", type: "npm install h5wasm" }],
  });
  for (const sentence of [
    /not usable yet/,
    /no: the reason/,
    /npm run build:native/,
    /apt install cmake/,
    /npm install h5wasm/,
  ])
    assert.match(text, sentence);
});

test.run();
