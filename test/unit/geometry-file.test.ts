/** Geometry files: the published schema, the shipped examples, and what is refused. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as assert from "uvu/assert";
import { isCodedError } from "../../lib/core/errors.ts";
import { scanOf } from "../../lib/tomography/fbp.ts";
import type { FanGeometry } from "../../lib/tomography/geometry.ts";
import { geometryJsonSchema, parseGeometry, readGeometry, writeGeometry } from "../../lib/tomography/geometry-file.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("geometry files");
const root = resolve(import.meta.dirname, "../..");
const examples = join(root, "examples/geometry");
const names = ["aapm-ct-mar", "htc2022", "parallel-180", "syndeeplesion-640"];
const shipped = (name: string) => readGeometry(join(examples, `${name}.json`));

test("the published schema is the one in force", () => {
  const published = JSON.parse(readFileSync(join(root, "docs/geometry.schema.json"), "utf8"));
  assert.equal(
    published,
    JSON.parse(JSON.stringify(geometryJsonSchema())),
    "write geometryJsonSchema() to docs/geometry.schema.json",
  );
});

test("every shipped geometry reads, and says what it is", async () => {
  assert.equal(
    readdirSync(examples).sort(),
    names.map((name) => `${name}.json`),
  );
  for (const name of names) {
    const geometry = await shipped(name);
    assert.is(geometry.name, name);
    assert.ok(geometry.angles.length > 100);
  }
  const coverage = await Promise.all(names.map(async (name) => scanOf(await shipped(name)).coverage));
  assert.equal(coverage, ["full", "limited", "half", "full"]);
});

test("SynDeepLesion: cell-centred, 416 pixels, in the pixel units of its papers", async () => {
  const geometry = (await shipped("syndeeplesion-640")) as FanGeometry;
  const pixel = geometry.image.pixelMm[0];
  assert.ok(Math.abs(pixel - 0.369230769) < 1e-8);
  assert.ok(Math.abs(geometry.sod / pixel - 1075) < 1e-9);
  assert.ok(Math.abs(geometry.sdd / pixel - 2150) < 1e-9);
  assert.ok(Math.abs(geometry.binMm / pixel - 1.835609) < 1e-6);
  assert.equal([geometry.bins, geometry.angles.length, geometry.detector], [641, 640, "flat"]);
  assert.is(geometry.angles[0], 270 + 360 / 640 / 2);
});

test("a written geometry reads back the same", async () => {
  const path = join(temporaryFolder(), "geometry.json");
  for (const name of names) {
    const geometry = await shipped(name);
    await writeGeometry(path, geometry);
    const again = await readGeometry(path);
    assert.equal({ ...again, angles: [...again.angles] }, { ...geometry, angles: [...geometry.angles] });
  }
});

test("what is wrong is named", async () => {
  const good = JSON.parse(readFileSync(join(examples, "parallel-180.json"), "utf8"));
  const fan = JSON.parse(readFileSync(join(examples, "aapm-ct-mar.json"), "utf8"));
  for (const [json, sentence] of [
    [{ ...good, beam: "cone" }, /beam/],
    [{ ...good, bins: 0 }, /bins/],
    [{ ...good, bins: 1.5 }, /bins/],
    [{ ...good, binMM: 1 }, /binMM/],
    [{ ...good, angles: [] }, /angles/],
    [{ ...good, image: { ...good.image, shape: [512] } }, /image\.shape/],
    [{ ...good, image: { ...good.image, pixelMm: 0 } }, /pixelMm/],
    [{ ...fan, sdd: 500 }, /sdd/],
    [{ ...fan, binDeg: 0.1 }, /binMm and binDeg/],
    [{ ...fan, detector: "flat", binMm: undefined, binDeg: 0.1 }, /flat detector/],
    [[], /top level/],
    [null, /top level/],
  ] as const) {
    try {
      parseGeometry(JSON.parse(JSON.stringify(json)));
      assert.unreachable(JSON.stringify(json).slice(0, 100));
    } catch (error) {
      assert.ok(isCodedError(error), String(error));
      assert.match(error.message, sentence);
    }
  }
  const path = join(temporaryFolder(), "list.json");
  writeFileSync(path, "[1, 2");
  try {
    await readGeometry(path);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /list\.json is not JSON/);
  }
});

test.run();
