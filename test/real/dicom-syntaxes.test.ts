/** Only here: real files of many makers. CTImage is one slice in 15 transfer syntaxes; every other file decodes or is refused. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import * as assert from "uvu/assert";
import { isCodedError } from "../../lib/core/errors.ts";
import { type CtSeries, readSeries } from "../../lib/data/dicom/read.ts";
import { writeDerivedSeries } from "../../lib/data/dicom/write.ts";
import { assertClose } from "../support/assert-close.ts";
import { noRealData, realData } from "../support/data.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom syntaxes");
const folder = realData("dicom-syntaxes");
const realTest = test.skipUnless(folder, noRealData);
const filesIn = (path: string | undefined) =>
  path ? readdirSync(path, { withFileTypes: true }).flatMap((e) => (e.isFile() ? [join(path, e.name)] : [])) : [];
const files = [...filesIn(folder), ...filesIn(realData("dicom-syntaxes/pydicom-data"))];
const versions = files.filter((file) => basename(file).startsWith("CTImage.dcm"));
const out = temporaryFolder();

/** Largest |HU| error: of quantising to the codec's precision, or of the 8 or 12 bits that the lossy files were cut to. */
const lossy: Record<string, number> = {
  "1.2.840.10008.1.2.4.50": 65,
  "1.2.840.10008.1.2.4.51": 36,
  "1.2.840.10008.1.2.4.53": 36,
  "1.2.840.10008.1.2.4.55": 36,
  "1.2.840.10008.1.2.4.81": 1,
  "1.2.840.10008.1.2.4.91": 5,
};

async function assertDerivedIsExact(series: CtSeries, name: string): Promise<void> {
  for (const changed of [true, false]) {
    const options = { out: join(out, `${name}-${changed}`), description: "d", derivation: "d", configuration: {} };
    const { clippedPixels } = await writeDerivedSeries(series, series.volume, { ...options, changed: [changed] });
    assert.is(clippedPixels, 0);
    const again = await readSeries(options.out, { anyModality: true });
    assertClose(again.volume.data, series.volume.data, {}, `${name} derived`);
  }
}

realTest("one CT slice in 15 transfer syntaxes is the same slice, and so is the one derived from it", async () => {
  assert.is(versions.length, 16);
  const reference = await readSeries(join(folder!, "CTImage.dcm"));
  const seen = new Set<string>();
  for (const file of versions) {
    const series = await readSeries(file);
    const { uid } = series.slices[0]!.transferSyntax;
    seen.add(uid);
    assertClose(series.volume.data, reference.volume.data, { atol: lossy[uid] ?? 0 }, basename(file));
    await assertDerivedIsExact(series, basename(file));
  }
  assert.is(seen.size, 15); // CTImage.dcm itself is implicit, and one of the others too
});

realTest("every file is read or refused with a coded sentence that names it, CT or not", async () => {
  const read: string[] = [];
  for (const file of files.filter((each) => !versions.includes(each)))
    for (const anyModality of [false, true]) {
      try {
        const series = await readSeries(file, { anyModality });
        if (anyModality) {
          read.push(basename(file));
          await assertDerivedIsExact(series, basename(file));
        }
      } catch (error) {
        if (!isCodedError(error)) throw error;
        assert.match(error.message, file);
        assert.match(error.code, /ERR_SINO_(IO_FORMAT|UNSUPPORTED)/);
      }
    }
  const expected = "693_UNCI 693_UNCR MR-SIEMENS-DICOM-WithOverlays MR2_J2KI MR2_J2KR MR2_UNCI MR2_UNCR";
  assert.equal(
    read.sort(),
    expected.split(" ").map((name) => `${name}.dcm`),
  );
});

realTest("J2K lossless equals its uncompressed twin", async () => {
  const [twin, coded] = await Promise.all(
    ["MR2_UNCR", "MR2_J2KR"].map((name) =>
      readSeries(join(folder!, `pydicom-data/${name}.dcm`), { anyModality: true }),
    ),
  );
  assertClose(coded!.volume.data, twin!.volume.data, {}, "MR2");
});

test.run();
