import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { listNpz, readNpz, writeNpz } from "../../lib/data/npz.ts";
import { assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("npz");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const numpy = pythonHas("numpy");
const noNumpy = "python3 with numpy is not installed";
const image = volume(
  Float32Array.from({ length: 300 }, (_, i) => Math.sin(i)),
  [15, 20],
);
const mask = volume(new Uint8Array(300).fill(1, 40, 60), [15, 20]);

test("writes and reads back by key, stored and deflated", async () => {
  for (const compress of [false, true]) {
    await writeNpz(at("two.npz"), { image, mask }, { compress });
    assert.equal(await listNpz(at("two.npz")), ["image", "mask"]);
    for (const [key, expected] of Object.entries({ image, mask })) {
      const { array } = await readNpz(at("two.npz"), key);
      assert.equal(array.shape, [15, 20]);
      assert.ok(Buffer.from(array.data.buffer).equals(Buffer.from(expected.data.buffer)));
    }
  }
});

test("gives the same bytes for the same arrays", async () => {
  await writeNpz(at("a.npz"), { image, mask }, { compress: true });
  await writeNpz(at("b.npz"), { image, mask }, { compress: true });
  assert.ok(readFileSync(at("a.npz")).equals(readFileSync(at("b.npz"))));
});

test("needs no key for one array, lists the keys otherwise", async () => {
  await writeNpz(at("one.npz"), { image });
  assert.is((await readNpz(at("one.npz"))).key, "image");
  await writeNpz(at("two.npz"), { image, mask });
  assert.match((await assertRejects(() => readNpz(at("two.npz")), "ERR_SINO_IO_FORMAT")).message, /holds image, mask/);
  assert.match(
    (await assertRejects(() => readNpz(at("two.npz"), "x"), "ERR_SINO_IO_FORMAT")).message,
    /no array "x"; it holds image, mask/,
  );
});

test("any names and shapes come back", async () => {
  const names = fc.uniqueArray(
    fc.string({ minLength: 1, maxLength: 12 }).filter((s) => !s.includes("\0")),
    {
      maxLength: 5,
    },
  );
  await fc.assert(
    fc.asyncProperty(names, fc.boolean(), async (keys, compress) => {
      const arrays = Object.fromEntries(keys.map((key, i) => [key, volume(new Int16Array(i).fill(i), [i])]));
      await writeNpz(at("names.npz"), arrays, { compress });
      assert.equal((await listNpz(at("names.npz"))).sort(), Object.keys(arrays).sort());
      for (const key of keys)
        assert.equal([...(await readNpz(at("names.npz"), key)).array.data], [...arrays[key]!.data]);
    }),
    { numRuns: 30, seed: 5 },
  );
});

test("notices a flipped bit in the elements", async () => {
  await writeNpz(at("flip.npz"), { image });
  const bytes = readFileSync(at("flip.npz"));
  bytes[700]! ^= 1;
  writeFileSync(at("flip.npz"), bytes);
  assert.match((await assertRejects(() => readNpz(at("flip.npz")), "ERR_SINO_IO_FORMAT")).message, /checksum/);
});

test("refuses what is no zip file, what is cut, and sizes that deflate cannot reach", async () => {
  writeFileSync(at("no.npz"), "nothing of the kind");
  assert.match((await assertRejects(() => readNpz(at("no.npz")), "ERR_SINO_IO_FORMAT")).message, /expected a zip file/);
  writeFileSync(at("empty.npz"), "");
  await assertRejects(() => readNpz(at("empty.npz")), "ERR_SINO_IO_FORMAT");
  await writeNpz(at("cut.npz"), { image });
  writeFileSync(at("cut.npz"), readFileSync(at("cut.npz")).subarray(0, 900));
  await assertRejects(() => readNpz(at("cut.npz")), "ERR_SINO_IO_FORMAT");
  await writeNpz(at("bomb.npz"), { image }, { compress: true });
  const bytes = readFileSync(at("bomb.npz"));
  bytes.writeUInt32LE(0xfffffff0, bytes.indexOf("PK\x01\x02", 0, "latin1") + 24);
  writeFileSync(at("bomb.npz"), bytes);
  assert.match((await assertRejects(() => readNpz(at("bomb.npz")), "ERR_SINO_IO_FORMAT")).message, /cannot hold/);
});

test("survives damaged files", async () => {
  for (const compress of [false, true]) {
    await writeNpz(at("small.npz"), { mask: volume(new Uint8Array(9), [3, 3]) }, { compress });
    await assertSurvivesDamage(readFileSync(at("small.npz")), at("damaged.npz"), (p) => readNpz(p), {
      headerLength: 1000,
    });
  }
});

test.skipUnless(numpy, noNumpy)("numpy reads ours and we read numpy's, ZIP64 included", async () => {
  await writeNpz(at("ours.npz"), { image, "größe 2": mask }, { compress: true });
  await writeNpz(at("stored.npz"), { image, mask });
  const script = `
import sys, json, zipfile, numpy as np
folder = sys.argv[1]
out = []
for f in ("ours.npz", "stored.npz"):
    z = np.load(f"{folder}/{f}")
    assert zipfile.ZipFile(f"{folder}/{f}").testzip() is None
    out.append([[k, list(z[k].shape), str(z[k].dtype), float(z[k].astype("f8").sum())] for k in z.files])
a = np.arange(12.0).reshape(3, 4)
np.savez(f"{folder}/np.npz", a=a, b=a.T.astype(">i4"))
np.savez_compressed(f"{folder}/npc.npz", a=a, b=a.T.astype(">i4"))
zipfile.ZIP64_LIMIT = 50; zipfile.ZIP_FILECOUNT_LIMIT = 1
np.savez(f"{folder}/np64.npz", a=a, b=a.T.astype(">i4"))
print(json.dumps(out))`;
  const [ours, stored] = pythonJson(script, folder) as [string, number[], string, number][][];
  const sum = image.data.reduce((s, v) => s + v, 0);
  assert.equal(
    ours!.map((row) => row.slice(0, 3)),
    [
      ["image", [15, 20], "float32"],
      ["größe 2", [15, 20], "uint8"],
    ],
  );
  assert.ok(Math.abs(ours![0]![3] - sum) < 1e-9);
  assert.is(stored![1]![3], 20);
  assert.ok(readFileSync(at("np64.npz")).includes("PK\x06\x06", 0, "latin1"), "the test file is ZIP64");
  for (const file of ["np.npz", "npc.npz", "np64.npz"]) {
    const b = (await readNpz(at(file), "b")).array;
    assert.equal(b.shape, [4, 3]);
    assert.equal([...b.data], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  }
});

test.run();
