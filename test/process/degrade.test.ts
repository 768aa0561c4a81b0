/** `sinogram degrade`: series and files made worse, again the same, and what no header would fit. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { readSeries } from "../../lib/data/dicom/index.ts";
import { degrade } from "../../lib/restore/pipeline.ts";
import { cli } from "../support/cli.ts";
import { writeCtSeries } from "../support/dicom.ts";
import { temporaryFolder } from "../support/files.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("degrade command");
const base = temporaryFolder();
let made = 0;
const fresh = (ending = "") => join(base, `${made++}${ending}`);

const head = (slices: number) =>
  volume(
    randomFloats(slices * 48 * 44, 2).map((n, i) => {
      const [y, x] = [Math.floor(i / 44) % 48, i % 44];
      return Math.hypot(y - 24, x - 22) < 19 ? 400 + 10 * n : 5 + n;
    }) as Float32Array<ArrayBuffer>,
    [slices, 48, 44],
  );

test("MR by preset: as the library does it, with its steps in the record", async () => {
  const image = head(3);
  const [input, output] = [fresh(".nii.gz"), fresh(".nii.gz")];
  await writeArray(input, image, { spacing: [5, 0.9, 0.9] });
  const given = ["degrade", input, "-o", output, "--pipeline", "mr", "--seed", "4", "--modality", "mr"];
  const { code, stderr } = await cli(...given, "--report");
  assert.equal(code, 0, stderr);
  const { array, meta } = await readArray(output);
  const expected = await degrade(image, "mr", { seed: 4 });
  assert.deepEqual(array.data, expected.image.data);
  assert.deepEqual(meta.spacing?.slice(-2), [0.9, 0.9].map(Math.fround));
  const record = JSON.parse(await readFile(output.replace(/\.nii\.gz$/, ".json"), "utf8"));
  assert.deepEqual([record.seed, record.steps], [4, JSON.parse(JSON.stringify(expected.steps))]);
});

test("a CT series becomes a derived one at less dose, the same for the same seed", async () => {
  const [folder, pipeline] = [fresh(), fresh(".json")];
  writeCtSeries(folder, 2);
  await writeFile(pipeline, JSON.stringify({ steps: [{ do: "low-dose", fraction: 0.2 }] }));
  const run = async (seed: string) => {
    const out = fresh();
    const { code, stderr } = await cli("degrade", folder, "-o", out, "--pipeline", pipeline, "--seed", seed);
    assert.equal(code, 0, stderr);
    return readSeries(out);
  };
  const [before, first, again, other] = [await readSeries(folder), await run("1"), await run("1"), await run("2")];
  assert.deepEqual(first.volume.data, again.volume.data);
  assert.equal(first.seriesUid, again.seriesUid);
  assert.notDeepEqual(first.volume.data, other.volume.data);
  assert.notDeepEqual(first.volume.data, before.volume.data);
  assert.deepEqual(first.volume.shape, before.volume.shape);
});

test("what is refused", async () => {
  const input = fresh(".npy");
  await writeArray(input, head(2));
  const pipeline = async (json: unknown) => {
    const path = fresh(".json");
    await writeFile(path, typeof json === "string" ? json : JSON.stringify(json));
    return path;
  };
  const refused = async (code: number, sentence: RegExp, name: string, ...more: string[]) => {
    const run = await cli("degrade", input, "-o", fresh(".npy"), "--pipeline", name, "--seed", "1", ...more);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, sentence);
  };
  await refused(2, /flip moves pixels away/, await pipeline({ steps: [{ do: "flip", axes: ["row"] }] }));
  await refused(2, /coarser-pixels moves/, await pipeline({ steps: [{ do: "coarser-pixels", factor: 2 }] }));
  await refused(3, /Did you mean probability\?/, await pipeline({ steps: [{ do: "blur", sigma: 1, probabilty: 1 }] }));
  await refused(3, /is not JSON/, await pipeline("{"));
  await refused(3, /ct-low-dose or mr/, "ct");
  await refused(3, /add --modality ct/, "ct-low-dose");
  await refused(3, /ct-low-dose is for CT, but .* is MR/, "ct-low-dose", "--modality", "mr");
  const folder = fresh();
  writeCtSeries(folder, 2);
  const scaled = await pipeline({ steps: [{ do: "normalise", percentiles: [0, 99] }] });
  const run = await cli("degrade", folder, "-o", fresh(), "--pipeline", scaled, "--seed", "1");
  assert.equal(run.code, 2);
  assert.match(run.stderr, /no derived series holds/);
});

test.run();
