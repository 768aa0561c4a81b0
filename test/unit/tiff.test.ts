import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readTiff } from "../../lib/data/tiff.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("tiff");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const geotiff = await import("geotiff").catch(() => undefined);
const withGeotiff = test.skipUnless(geotiff, "the optional package geotiff is not installed");

interface Page {
  width: number;
  height: number;
  bits: number;
  format: number;
  data: Uint8Array;
}

/** An uncompressed little-endian TIFF; `loop` makes the last page refer to the first. */
function tiff(pages: Page[], { loop = false } = {}): Buffer {
  const directoryLength = 2 + 9 * 12 + 4;
  let dataAt = 8 + pages.length * directoryLength;
  const head = Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0]);
  const directories = pages.map(({ width, height, bits, format, data }, i) => {
    const out = Buffer.alloc(directoryLength);
    const entries = [
      [256, width],
      [257, height],
      [258, bits],
      [259, 1],
      [262, 1],
      [273, dataAt],
      [277, 1],
      [279, data.length],
      [339, format],
    ];
    out.writeUInt16LE(entries.length, 0);
    entries.forEach(([tag, value], k) => {
      out.writeUInt16LE(tag!, 2 + 12 * k);
      out.writeUInt16LE(4, 4 + 12 * k);
      out.writeUInt32LE(1, 6 + 12 * k);
      out.writeUInt32LE(value!, 10 + 12 * k);
    });
    const isLast = i === pages.length - 1;
    out.writeUInt32LE(isLast ? (loop ? 8 : 0) : 8 + (i + 1) * directoryLength, directoryLength - 4);
    dataAt += data.length;
    return out;
  });
  return Buffer.concat([head, ...directories, ...pages.map((page) => page.data)]);
}

const signed: Page = {
  width: 3,
  height: 2,
  bits: 16,
  format: 2,
  data: new Uint8Array(Int16Array.of(-1000, 0, 1, 2, 3, 3071).buffer),
};

withGeotiff("reads a page and a stack, signed values as signed", async () => {
  writeFileSync(at("one.tif"), tiff([signed]));
  const one = await readTiff(at("one.tif"));
  assert.equal([one.array.shape, one.dtype], [[2, 3], "int16"]);
  assert.equal([...one.array.data], [-1000, 0, 1, 2, 3, 3071]);
  const float: Page = {
    ...signed,
    bits: 32,
    format: 3,
    data: new Uint8Array(Float32Array.of(0.5, 1, 2, 3, 4, 5).buffer),
  };
  writeFileSync(at("stack.tif"), tiff([float, float, float]));
  const stack = await readTiff(at("stack.tif"));
  assert.equal([stack.array.shape, stack.dtype], [[3, 2, 3], "float32"]);
  assert.is(stack.array.get(2, 0, 0), 0.5);
});

withGeotiff("refuses what is wrong, in a sentence", async () => {
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /expected 4 bytes/],
    [Buffer.from("no image"), /expected a TIFF image/],
    [
      tiff([signed, { ...signed, width: 2, height: 3 }]),
      /pages of one size and type, 2 × 3 int16, but found page 2 with 3 × 2/,
    ],
    [tiff([signed, signed], { loop: true }), /circle/],
    [tiff([{ ...signed, width: 2 ** 20, height: 2 ** 20 }]), /there are only/],
    [tiff([{ ...signed, bits: 12 }]), /12 bits/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(at("wrong.tif"), bytes);
    assert.match((await assertRejects(() => readTiff(at("wrong.tif")), "ERR_SINO_IO_FORMAT")).message, message);
  }
  await assertRejects(() => readTiff(at("absent.tif")), "ERR_SINO_IO");
});

withGeotiff("survives damaged files", async () => {
  await assertSurvivesDamage(tiff([signed, signed]), at("damaged.tif"), readTiff, { headerLength: 250, runs: 400 });
});

test.skipUnless(geotiff && pythonHas("PIL", "numpy"), "python3 with Pillow, or geotiff, is not installed")(
  "reads what Pillow writes, compressed too",
  async () => {
    const script = `
import sys, json, numpy as np
from PIL import Image
rng = np.random.default_rng(0); out = []
for name, dt, mode in (("u8", "u1", "L"), ("u16", "u2", "I;16"), ("f32", "f4", "F"), ("i32", "i4", "I")):
    for comp in ("raw", "tiff_deflate", "tiff_lzw"):
        a = (rng.random((7, 5)) * 200).astype(dt)
        f = f"{name}_{comp}.tif"; Image.fromarray(a).save(sys.argv[1] + "/" + f, compression=comp)
        out.append([f, a.astype("f8").ravel().tolist()])
print(json.dumps(out))`;
    for (const [name, values] of pythonJson(script, folder) as [string, number[]][]) {
      const { array } = await readTiff(at(name));
      assert.equal(array.shape, [7, 5]);
      assertClose(array.data, values, {}, name);
    }
  },
);

test.run();
