/** The parity tests of everything in kernels.inl again, for every instruction set that this processor has beside the chosen one. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import * as assert from "uvu/assert";
import { addon } from "../../lib/native/addon.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("instruction sets");
const root = resolve(import.meta.dirname, "../..");
const files = ["joseph", "backproject", "fbp", "spacings", "grouping", "distance", "polychromatic", "sampling-step"];
const flags = process.platform === "linux" ? readFileSync("/proc/cpuinfo", "utf8") : "";
const available = { baseline: true, avx2: /\bavx2\b/.test(flags), avx512: /\bavx512vl\b/.test(flags) };

for (const [simd, isThere] of Object.entries(available))
  for (const file of files)
    test.skipUnless(isThere, `${cpus()[0]?.model ?? "this processor"} has no ${simd}`)(`${file} with ${simd}`, () => {
      if (addon().describe().simd === simd) return; // the ordinary run
      const { SINOGRAM_TEST_RECORD: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
      const run = spawnSync(process.execPath, ["--import", "tsx", join(root, `test/parity/${file}.test.ts`)], {
        cwd: root,
        env: { ...env, SINOGRAM_SIMD: simd },
        encoding: "utf8",
      });
      assert.is(run.status, 0, `${run.stdout}\n${run.stderr}`);
    });

test.run();
