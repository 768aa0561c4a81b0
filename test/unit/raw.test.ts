import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { readRaw, writeRaw } from "../../lib/data/raw.ts";
import { assertRejects } from "../support/assert-close.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("raw");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

test("writes and reads back in both byte orders", async () => {
  const array = volume(Float32Array.of(1, -2.5, 3e10, 4, 5, 6), [2, 3]);
  for (const littleEndian of [true, false]) {
    await writeRaw(at("a.raw"), array, { littleEndian });
    const back = await readRaw(at("a.raw"), { shape: [2, 3], littleEndian });
    assert.equal(back.shape, [2, 3]);
    assert.equal([...back.data], [...array.data]);
  }
  assert.is(array.data[0], 1, "the caller's data are not swapped in place");
});

test("skips an offset and reads other types", async () => {
  writeFileSync(at("b.raw"), Buffer.from([9, 9, 9, 0xff, 0xfe, 0x00, 0x02]));
  const back = await readRaw(at("b.raw"), { shape: [2], dtype: "int16", littleEndian: false, offset: 3 });
  assert.equal([...back.data], [-2, 2]);
});

test("refuses a file of another size, saying both", async () => {
  writeFileSync(at("c.raw"), new Uint8Array(20));
  const error = await assertRejects(() => readRaw(at("c.raw"), { shape: [2, 3] }), "ERR_SINO_IO_FORMAT");
  assert.match(error.message, /2×3 take 24 bytes but the file has 20/);
  await assertRejects(() => readRaw(at("c.raw"), { shape: [2, 2] }), "ERR_SINO_IO_FORMAT");
  await assertRejects(() => readRaw(at("c.raw"), { shape: [2, 0] }), "ERR_SINO_SHAPE");
  await assertRejects(() => readRaw(at("c.raw"), { shape: [2 ** 30, 2 ** 30] }), "ERR_SINO_IO_FORMAT");
  await assertRejects(() => readRaw(at("c.raw"), { shape: [5], dtype: "float" as "float32" }), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => readRaw(at("c.raw"), { shape: [5], offset: -1 }), "ERR_SINO_OUT_OF_RANGE");
});

test.run();
