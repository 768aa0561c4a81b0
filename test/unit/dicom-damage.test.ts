/** Only here: no damaged byte makes the reader crash, hang, or throw anything but a coded error. */
import { join } from "node:path";
import { readSeries } from "../../lib/data/dicom/read.ts";
import { writeDerivedSeries } from "../../lib/data/dicom/write.ts";
import { ctSlice, dicomBytes, fragments } from "../support/dicom.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom damage");
const folder = temporaryFolder();
let run = 0;

/** Reads, and where that works writes a derived series, which parses the whole file again. */
async function readAndWrite(path: string): Promise<void> {
  const series = await readSeries(path);
  await writeDerivedSeries(series, series.volume, {
    out: join(folder, `out-${run++}`),
    description: "d",
    derivation: "d",
    configuration: {},
    changed: [false],
  });
}

for (const syntax of ["explicit", "implicit", "bigEndian", "deflated"] as const)
  for (const undefinedLengths of [false, true])
    test(`${syntax}${undefinedLengths ? ", undefined lengths" : ""}`, async () => {
      const bytes = dicomBytes(ctSlice(), { syntax, undefinedLengths });
      await assertSurvivesDamage(bytes, join(folder, "damaged"), readAndWrite, {
        headerLength: bytes.length,
        runs: 120,
      });
    });

test("encapsulated pixel data", async () => {
  const body = fragments(new Uint8Array(64 + 70).fill(1), 2);
  const bytes = dicomBytes(ctSlice(), { encapsulated: { uid: "1.2.840.10008.1.2.5", body } });
  await assertSurvivesDamage(bytes, join(folder, "damaged"), readSeries, { headerLength: bytes.length, runs: 20 });
});

test.run();
