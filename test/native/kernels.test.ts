/**
 * CUDA kernels without a GPU: native/test/cuda built over native/test/simt. Every access is checked (bounds, unwritten memory, races,
 * barriers), in three orders of threads; and once unchecked, with the threads in another order, for results alone.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as assert from "uvu/assert";
import { buildKernelTests, kernelCompiler } from "../support/kernel-tests.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("kernels");
const compiler = kernelCompiler();
const program = "command" in compiler ? await buildKernelTests(compiler) : "";
const testHere = test.skipUnless(program, "reason" in compiler ? compiler.reason : "");

for (const options of [
  ["--order=forward"],
  ["--order=reverse"],
  ["--order=random:1"],
  ["--order=random:2", "--no-check"],
])
  testHere(options.join(" "), async () => {
    const { stdout } = await promisify(execFile)(program, options, { timeout: 300_000 }).catch((error) => {
      const lines = String(error.stdout).split("\n");
      throw new Error(`${error.message}\n${lines.filter((line) => !line.startsWith("ok ")).join("\n")}`);
    });
    assert.match(stdout, /\n[1-9]\d* passed, 0 failed\n$/);
  });

test.run();
