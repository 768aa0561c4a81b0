/** b-tables: both layouts of directions, shells, pairs, and everything that can be wrong with the files. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { nearestPairs, readGradients, shellNear, shellsOf } from "../../lib/dwi/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("b-tables");
const folder = temporaryFolder();

function table(bvals: string, bvecs: string): [string, string] {
  const paths = [join(folder, "x.bval"), join(folder, "x.bvec")] as [string, string];
  writeFileSync(paths[0], bvals);
  writeFileSync(paths[1], bvecs);
  return paths;
}

async function rejects(promise: Promise<unknown>, code: string, words: RegExp): Promise<void> {
  assert.match((await assertRejects(() => promise, code)).message, words);
}

test("rows and columns, line ends, unit length", async () => {
  for (const [bvals, bvecs] of [
    ["0 1000\t1000 1000\r\n", "0 1 0 0\n0 0 1.01 0\n0 0 0 1\n"],
    ["0\n1000\n1000\n1000\n", "0 0 0\n1 0 0\n0,1.01,0\n0 0 1"],
  ] as const) {
    const { bvals: read, directions } = await readGradients(...table(bvals, bvecs), 4);
    assert.equal(read, [0, 1000, 1000, 1000]);
    assert.equal(directions, [
      [0, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  }
});

test("what does not fit is told", async () => {
  const good = "0 1 0\n0 0 1\n0 0 0";
  await rejects(readGradients(...table("0 1000", good), 3), "ERR_SINO_IO_FORMAT", /expected 3 b-values.*found 2/);
  await rejects(readGradients(...table("0 -5 1000", good)), "ERR_SINO_IO_FORMAT", /found -5/);
  await rejects(readGradients(...table("0 one 2", good)), "ERR_SINO_IO_FORMAT", /expected numbers/);
  await rejects(readGradients(...table("", good)), "ERR_SINO_IO_FORMAT", /empty/);
  await rejects(readGradients(...table("0 9 9", "0 1\n0 0")), "ERR_SINO_IO_FORMAT", /3 rows of 3.*found 2 rows of 2/);
  await rejects(
    readGradients(...table("0 1000 1000", "0 1 0\n0 0 0\n0 0 0")),
    "ERR_SINO_IO_FORMAT",
    /volume 2 has b = 1000/,
  );
  await rejects(readGradients(join(folder, "none"), join(folder, "none")), "ERR_SINO_IO", /none/);
});

test("shells", () => {
  const shells = shellsOf([5, 990, 0, 1005, 2000, 1010, 1995, 45]);
  assert.equal(
    shells.map(({ volumes }) => volumes),
    [
      [0, 2, 7],
      [1, 3, 5],
      [4, 6],
    ],
  );
  assert.is(shells[0]!.b, 0);
  assert.is(shellNear(shells).b, 3005 / 3);
  assert.equal(shellNear(shells, 2000).volumes, [4, 6]);
  assert.throws(() => shellNear(shells, 3000), /b = 3000 ± 100 but found: 1002 \(3 volumes\), 1998 \(2 volumes\)/);
  assert.throws(() => shellNear(shellsOf([0, 0])), /found: none/);
  assert.is(shellsOf([60, 140, 161]).length, 2, "within the tolerance of the lowest, not of the next");
});

test("pairs go by the angle, whatever its sign", () => {
  const directions = [
    [1, 0, 0],
    [0, 1, 0],
    [-0.99, 0.14, 0],
    [0.1, 0.9, 0.43],
  ] as [number, number, number][];
  assert.equal(nearestPairs({ b: 1000, volumes: [0, 1, 2, 3] }, directions), [
    [0, 2],
    [1, 3],
    [2, 0],
    [3, 1],
  ]);
  assert.throws(() => nearestPairs({ b: 1000, volumes: [2] }, directions), /at least two directions/);
});

test.run();
