/** Only here: whole clinical series (GE with a tilted gantry, padding, private tags) read, derived, and read again. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import dicomParser from "dicom-parser";
import * as assert from "uvu/assert";
import { listSeries } from "../../lib/data/dicom/list.ts";
import { paddingHu, readSeries } from "../../lib/data/dicom/read.ts";
import { writeDerivedSeries } from "../../lib/data/dicom/write.ts";
import { assertClose } from "../support/assert-close.ts";
import { noRealData, realData } from "../support/data.ts";
import { temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom series");
const archive = realData("ct-train.tar.xz");
const out = temporaryFolder();
const isUnpacked = archive && spawnSync("tar", ["xf", archive, "-C", out]).status === 0;
const root = join(out, "ct-train");
const realTest = test.skipUnless(isUnpacked, archive ? "tar cannot unpack ct-train.tar.xz" : noRealData);

realTest("all series are found and told apart", async () => {
  const found = await listSeries(root);
  assert.equal(
    found.map((s) => s.files.length).sort((a, b) => a - b),
    [18, 28, 98, 99, 99, 100],
  );
  assert.ok(found.every((s) => s.modality === "CT" && s.rows === 512));
});

realTest("a tilted head: 18.5°, uneven gaps, padding of −1500 HU", async () => {
  const series = await readSeries(join(root, "ge-head-tilted"));
  assert.is(series.slices.length, 28);
  assert.ok(Math.abs(series.tiltDeg - 18.5) < 0.01);
  assert.is(series.isEvenlySpaced, false);
  assert.is(paddingHu(series.slices[0]!), -1500);
  assert.is(series.volume.data[0], -1500);
  assert.is(series.warnings.length, 2);
  const heights = series.slices.map((slice) => slice.position[2]);
  assert.equal(
    heights,
    heights.toSorted((a, b) => a - b),
  );
});

realTest("padding written as US 63536 is −2000 stored, −3024 HU", async () => {
  const series = await readSeries(join(root, "cmb-crc"));
  assert.is(paddingHu(series.slices[0]!), -3024);
  assert.is(series.volume.data[0], -3024);
  assert.equal(series.spacingMm, { slice: 2.5, row: 0.898438, column: 0.898438 });
  assert.equal(series.warnings, []);
});

for (const name of ["ge-head-tilted", "c4kc-kits"])
  realTest(`${name}: derived and read again, HU and every untouched element are the same`, async () => {
    const series = await readSeries(join(root, name));
    const changed = series.slices.map((_, i) => i % 2 === 0);
    const options = {
      out: join(out, `derived-${name}`),
      description: "NMAR",
      derivation: "MAR",
      configuration: { a: 1 },
    };
    const { files, clippedPixels } = await writeDerivedSeries(series, series.volume, { ...options, changed });
    assert.is(clippedPixels, 0);
    const again = await readSeries(options.out);
    assertClose(again.volume.data, series.volume.data, {}, "HU");
    assert.equal(again.gapsMm, series.gapsMm);
    for (const i of [0, 1]) {
      const before = readFileSync(series.slices[i]!.file);
      const after = readFileSync(files[i]!);
      const b = dicomParser.parseDicom(before).elements;
      const a = dicomParser.parseDicom(after).elements;
      const privates = Object.values(b).filter((e) => Number.parseInt(e.tag[4]!, 16) % 2 === 1);
      if (name.startsWith("ge")) assert.ok(privates.length > 20, `${privates.length} private elements`);
      for (const e of privates.filter((e) => !e.tag.endsWith("0000")))
        assert.ok(
          after
            .subarray(a[e.tag]!.dataOffset, a[e.tag]!.dataOffset + a[e.tag]!.length)
            .equals(before.subarray(e.dataOffset, e.dataOffset + e.length)),
          e.tag,
        );
    }
  });

test.skipUnless(isUnpacked && pythonHas("pydicom", "numpy"), "needs real data and pydicom")(
  "pydicom reads the same HU, and sees only the elements of a derivation differ",
  async () => {
    const series = await readSeries(join(root, "c4kc-kits"));
    const folder = join(out, "for-pydicom");
    await writeDerivedSeries(series, series.volume, {
      out: folder,
      description: "X",
      derivation: "X",
      configuration: {},
    });
    const script = `
import json, sys, pydicom
a, b = pydicom.dcmread(sys.argv[1]), pydicom.dcmread(sys.argv[2])
tags = set(a.keys()) | set(b.keys())
px = b.pixel_array.astype(float) * float(b.RescaleSlope) + float(b.RescaleIntercept)
print(json.dumps({"changed": sorted(str(t) for t in tags if a.get(t) != b.get(t)), "row": px[200, 100:300].tolist(),
  "same": bool((a.pixel_array.astype(int) == b.pixel_array.astype(int)).all())}))`;
    const files = readdirSync(folder).sort();
    const found = pythonJson(script, series.slices[4]!.file, join(folder, files[4]!)) as {
      changed: string[];
      same: boolean;
      row: number[];
    };
    assert.is(found.same, true);
    const row = (4 * 512 + 200) * 512;
    assertClose(series.volume.data.subarray(row + 100, row + 300), found.row, {}, "HU");
    const expected = "(0008,0008) (0008,0018) (0008,103E) (0008,2111) (0008,2112) (0018,A001) (0020,000E) (0020,0011)";
    const depth = "(0028,0101) (0028,0102)"; // 12 bits became 16; the pixel bytes stay
    const allowed = [...expected.split(" "), ...depth.split(" "), "(0028,0106)", "(0028,0107)"];
    assert.equal(
      found.changed.map((t) => t.toUpperCase().replace(", ", ",")).filter((t) => !allowed.includes(t)),
      [],
    );
  },
);

test.run();
