/** Motion out of MR slices: the lines of k-space that stay as measured, against plain sums; the command, and what it refuses. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { applyTrained, restorationModel } from "../../lib/models/index.ts";
import { correctMotion } from "../../lib/restore/motion.ts";
import { assertRejects } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("correct motion");
const withNetworks = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
let made = 0;
const fresh = (ending = "") => join(base, `${made++}${ending}`);

/** A small network of random weights, or, at weight 0, one that gives what it is shown. */
const modelFolder = (deviation: number, card: object = { modality: "MR" }): Promise<string> => {
  const shared = { kind: "unet", inChannels: 1, outChannels: 1, blocks: 1, norm: "none", residual: true } as const;
  return writeModel(fresh(), { network: { ...shared, channels: [4] }, deviation, seed: 1, card });
};

/** Magnitudes with a bright body. */
function slices(count: number, rows: number, columns: number): Volume {
  const noise = randomFloats(count * rows * columns, 5);
  const data = noise.map((v, i) => {
    const [r, c] = [Math.floor(i / columns) % rows, i % columns];
    const isBody = (r - rows / 2) ** 2 + (c - columns / 2) ** 2 < (rows / 3) ** 2;
    return Math.abs((isBody ? 400 : 10) + 30 * v);
  });
  return volume(data as Float32Array<ArrayBuffer>, count > 1 ? [count, rows, columns] : [rows, columns]);
}

/** Line v of the transform down the columns, as [cosine, sine] parts. */
const line = (image: Float64Array, rows: number, columns: number, v: number) =>
  [Math.cos, Math.sin].map((wave) =>
    Float64Array.from({ length: columns }, (_, c) => {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += wave((2 * Math.PI * v * r) / rows) * image[r * columns + c]!;
      return sum;
    }),
  ) as [Float64Array, Float64Array];
const energyOf = (parts: readonly Float64Array[]) =>
  parts.reduce((sum, p) => sum + p.reduce((a, b) => a + b * b, 0), 0);

withNetworks("lines that the network hardly changed stay as measured, the others are its own", async () => {
  const [rows, columns] = [27, 20];
  const image = slices(1, rows, columns);
  const model = await restorationModel(await modelFolder(0.3));
  const { images, kept, added } = await correctMotion(image, model, { threads: 1 });

  const mean = image.data.reduce((a, b) => a + b, 0) / image.data.length;
  const deviation = Math.sqrt(image.data.reduce((a, b) => a + (b - mean) ** 2, 0) / image.data.length);
  const seen = Float64Array.from(image.data, (v) => (v - mean) / deviation);
  const { data: found } = await applyTrained(model.trained, volume(Float32Array.from(seen), [rows, columns]), {
    threads: 1,
  });
  const change = Float64Array.from(seen, (v, i) => found[i]! - v);
  const joined = Float64Array.from(seen);
  let [share, total] = [0, 0];
  for (let v = 0; v < rows; v++) {
    const [measured, changed] = [line(seen, rows, columns, v), line(change, rows, columns, v)];
    const ratio = Math.sqrt(energyOf(changed) / energyOf(measured));
    const keep = Math.min(Math.max((0.3 - ratio) / 0.2, 0), 1);
    share += keep / rows;
    total += energyOf(measured);
    for (let i = 0; i < joined.length; i++) {
      const turn = (2 * Math.PI * v * Math.floor(i / columns)) / rows;
      const c = i % columns;
      joined[i]! += ((1 - keep) * (Math.cos(turn) * changed[0]![c]! + Math.sin(turn) * changed[1]![c]!)) / rows;
    }
  }
  let gained = 0;
  for (let v = 0; v < rows; v++)
    gained += Math.max(0, energyOf(line(joined, rows, columns, v)) - energyOf(line(seen, rows, columns, v))) / total;
  assert.ok(share > 0.05 && share < 0.95, `a test of both: ${share}`);
  assert.ok(Math.abs(kept[0]! - share) < 1e-4, `${kept[0]} of ${share}`);
  assert.ok(Math.abs(added[0]! - gained) < 1e-4 * (1 + gained), `${added[0]} of ${gained}`);
  // float32 transforms of 27 lines, times a deviation of about 200
  images.data.forEach((v, i) => {
    assert.ok(Math.abs(v - Math.max(0, mean + deviation * joined[i]!)) < 0.02, `pixel ${i}`);
  });
});

withNetworks("the other phase direction is the same upon its side; every slice has its own brightness", async () => {
  const model = await restorationModel(await modelFolder(0.3));
  const upright = slices(2, 18, 24);
  const side = volume(
    upright.data.map((_, i) => {
      const [s, r, c] = [Math.floor(i / 432), Math.floor((i % 432) / 18), i % 18];
      return upright.data[s * 432 + c * 24 + r]!;
    }),
    [2, 24, 18],
  );
  const brighter = volume(
    side.data.map((v, i) => (i < 432 ? 7 * v : v)),
    side.shape,
  );
  const row = await correctMotion(brighter, model, { phase: "row", threads: 1 });
  for (const s of [0, 1]) {
    const one = volume(upright.data.slice(s * 432, (s + 1) * 432), [18, 24]);
    const alone = (await correctMotion(one, model, { threads: 1 })).images.data;
    const gain = s === 0 ? 7 : 1;
    alone.forEach((v, i) => {
      const found = row.images.data[s * 432 + (i % 24) * 18 + Math.floor(i / 24)]!;
      assert.ok(Math.abs(found - gain * v) < 0.03 * gain, `slice ${s}, pixel ${i}: ${found} of ${gain * v}`);
    });
  }
});

withNetworks(
  "a network that changes nothing gives the slices back, odd sizes too, with a record and a report",
  async () => {
    const [input, output] = [fresh(".nii.gz"), fresh(".nii.gz")];
    const image = slices(3, 33, 21);
    await writeArray(input, image, { spacing: [2, 1, 1] });
    const { code, stderr } = await cli(
      "correct-motion",
      input,
      "-o",
      output,
      "--model",
      await modelFolder(0),
      "--report",
    );
    assert.equal(code, 0, stderr);
    const { array, meta } = await readArray(output);
    assert.deepEqual(
      [[...array.shape], meta.spacing],
      [
        [3, 33, 21],
        [2, 1, 1],
      ],
    );
    assert.ok(image.data.every((v, i) => Math.abs(v - array.data[i]!) < 1e-3));
    const record = JSON.parse(await readFile(output.replace(/\.nii\.gz$/, ".json"), "utf8"));
    assert.equal(record.command, "correct-motion");
    assert.equal(record.facts["Lines kept as measured"], "100.0 %");
    assert.equal(record.facts["Energy added to lines, at most"], "0.0 %");
  },
);

withNetworks(
  "a series says along what its phase was encoded; where it does not, or twice, columns and a note",
  async () => {
    const model = await modelFolder(0);
    const corrected = async (said: readonly (string | undefined)[], ...more: string[]) => {
      const [folder, output] = [fresh(), fresh(".npy")];
      writeCtSeries(folder, said.length, (i) => ({
        rows: 20,
        columns: 18,
        pixels: Int16Array.from({ length: 360 }, (_, k) => (k * 37 + i) % 500),
        extra: [
          [0x00080060, "CS", "MR"],
          [0x00181312, "CS", said[i]],
        ],
      }));
      const { code, stderr } = await cli("correct-motion", folder, "-o", output, "--model", model, ...more);
      assert.equal(code, 0, stderr);
      const { phase } = JSON.parse(await readFile(output.replace(/\.npy$/, ".json"), "utf8"));
      return { phase, note: /InPlanePhaseEncodingDirection/.test(stderr) ? stderr : "" };
    };
    assert.deepEqual(await corrected(["ROW", "ROW"]), { phase: "row", note: "" });
    assert.deepEqual(await corrected(["COL", "COL"]), { phase: "column", note: "" });
    assert.deepEqual(await corrected([undefined, undefined], "--phase", "row"), { phase: "row", note: "" });
    const silent = await corrected([undefined, undefined]);
    assert.equal(silent.phase, "column");
    assert.match(silent.note, /says nothing in .* --phase says otherwise/);
    const both = await corrected(["ROW", "COL"]);
    assert.equal(both.phase, "column");
    assert.match(both.note, /says ROW and COL in|says COL and ROW in/);
  },
);

withNetworks("invented structure is warned of", async () => {
  const input = fresh(".npy");
  await writeArray(input, slices(1, 24, 24));
  const { code, stderr } = await cli("correct-motion", input, "-o", fresh(".npy"), "--model", await modelFolder(2));
  assert.equal(code, 0, stderr);
  assert.match(stderr, /some structure may be invented/);
});

withNetworks("refused: CT, values below zero, NaN, few lines, models of CT and of other tasks", async () => {
  const model = await modelFolder(0);
  const refused = async (image: Volume, pattern: RegExp, more: string[] = [], using = model) => {
    const input = fresh(".npy");
    await writeArray(input, image);
    const { code, stderr } = await cli("correct-motion", input, "-o", fresh(".npy"), "--model", using, ...more);
    assert.notEqual(code, 0);
    assert.match(stderr, pattern);
  };
  const good = slices(1, 20, 20);
  await refused(good, /takes MR, .* is CT/, ["--modality", "ct"]);
  await refused(
    volume(
      good.data.map((v) => v - 300),
      [20, 20],
    ),
    /Expected magnitudes, from 0 up.*absolute value/,
  );
  await refused(volume(good.data.with(7, Number.NaN), [20, 20]), /NaN/);
  await refused(slices(1, 20, 15), /at least 16 × 16 pixels but received 20 × 15/);
  await refused(good, /trained on CT, but .* is MR/, ["--modality", "mr"], await modelFolder(0, { modality: "CT" }));
  await refused(good, /2 times as large/, [], await modelFolder(0, { factor: 2 }));
  const folder = fresh();
  writeCtSeries(folder, 2);
  const { stderr } = await cli("correct-motion", folder, "-o", fresh(), "--model", model);
  assert.match(stderr, /takes MR, .* is CT/);
  const loaded = await restorationModel(model);
  await assertRejects(() => correctMotion(good, loaded, { phase: "both" as "row" }), "ERR_SINO_OUT_OF_RANGE");
});

suite("complex arrays are refused by their reader", async () => {
  const path = fresh(".npy");
  const header = "{'descr': '<c8', 'fortran_order': False, 'shape': (16, 16), }".padEnd(117).concat("\n");
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  await writeFile(path, Buffer.concat([start, Buffer.from(header, "latin1"), Buffer.alloc(16 * 16 * 8)]));
  const { code, stderr } = await cli("correct-motion", path, "-o", fresh(".npy"), "--model", "none");
  assert.notEqual(code, 0);
  assert.match(stderr, /c8|complex/);
});

suite.run();
