import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { sizeOf, volume } from "../../lib/core/arrays.ts";
import { readPng, writePng } from "../../lib/data/png.ts";
import { assertClose, assertRejects } from "../support/assert-close.ts";
import { assertSurvivesDamage, temporaryFolder } from "../support/files.ts";
import { pythonHas, pythonJson } from "../support/python.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("png");
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4);
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, -4)), 8 + data.length);
  return out;
}

/** A PNG from its parts: rows are filter byte + packed samples. */
function png(width: number, height: number, depth: number, colour: number, rows: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = colour;
  const head = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([head, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

test("writes and reads back 8 and 16 bits, grey and colour", async () => {
  const shapes = fc.oneof(
    fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 4 })),
  );
  await fc.assert(
    fc.asyncProperty(shapes, fc.constantFrom(Uint8Array, Uint16Array), async (shape, Kind) => {
      const data = Kind.from(Array.from({ length: sizeOf(shape) }, (_, i) => (i * 9377) & 65535));
      await writePng(at("random.png"), volume(data, shape));
      const { array, bitDepth } = await readPng(at("random.png"));
      assert.equal(array.shape, shape);
      assert.is(bitDepth, Kind.BYTES_PER_ELEMENT * 8);
      assertClose(array.data, data, {});
    }),
    { numRuns: 60, seed: 4 },
  );
});

test("stores HU as DeepLesion does, beyond 3071 too", async () => {
  const hu = Float32Array.of(-32768, -1024.4, -0.5, 40.6, 3071, 32767);
  await writePng(at("hu.png"), volume(hu, [2, 3]), { deepLesion: true });
  assert.equal([...(await readPng(at("hu.png"))).array.data], [0, 31744, 32768, 32809, 35839, 65535]);
  const { array } = await readPng(at("hu.png"), { deepLesion: true });
  assert.equal([...array.data], [-32768, -1024, 0, 41, 3071, 32767]);
  for (const wrong of [32768, -32769, Number.NaN])
    await assertRejects(
      () => writePng(at("x.png"), volume(Float32Array.of(wrong), [1, 1]), { deepLesion: true }),
      "ERR_SINO_OUT_OF_RANGE",
    );
  await writePng(at("eight.png"), volume(new Uint8Array(4), [2, 2]));
  await assertRejects(() => readPng(at("eight.png"), { deepLesion: true }), "ERR_SINO_IO_FORMAT");
});

test("spreads 1-, 2- and 4-bit masks", async () => {
  writeFileSync(at("one.png"), png(10, 2, 1, 0, Buffer.from([0, 0b10110000, 0b01000000, 0, 0b00000001, 0b10000000])));
  assert.equal(
    [...(await readPng(at("one.png"))).array.data],
    [1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0],
  );
  writeFileSync(at("four.png"), png(3, 1, 4, 0, Buffer.from([0, 0xa3, 0xf0])));
  assert.equal([...(await readPng(at("four.png"))).array.data], [10, 3, 15]);
});

test("refuses what is wrong, in a sentence", async () => {
  const good = png(2, 2, 8, 0, Buffer.from([0, 1, 2, 0, 3, 4]));
  const flipped = Buffer.from(good);
  flipped[45]! ^= 4;
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /an empty file/],
    [Buffer.from("GIF89a whatever"), /expected a PNG/],
    [good.subarray(0, good.length - 5), /cut short/],
    [flipped, /checksum of its "IDAT"/],
    [png(2, 2, 8, 3, Buffer.from([0, 1, 2, 0, 3, 4])), /palette/],
    [png(1 << 20, 1 << 20, 16, 0, Buffer.from([0, 1])), /cannot hold/],
    [png(0, 2, 8, 0, Buffer.from([0])), /size of 0 × 2/],
    [png(2, 2, 8, 0, Buffer.from([0, 1])), /damaged|expected 4 values/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(at("wrong.png"), bytes);
    assert.match((await assertRejects(() => readPng(at("wrong.png")), "ERR_SINO_IO_FORMAT")).message, message);
  }
  await assertRejects(() => readPng(at("absent.png")), "ERR_SINO_IO");
  await assertRejects(() => writePng(at("x.png"), volume(new Float32Array(4), [2, 2])), "ERR_SINO_ARG_TYPE");
  await assertRejects(() => writePng(at("x.png"), volume(new Uint8Array(4), [4])), "ERR_SINO_SHAPE");
});

test("survives damaged files, with and without matching checksums", async () => {
  const whole = png(5, 4, 16, 0, Buffer.from(Array.from({ length: 44 }, (_, i) => (i % 11 === 0 ? i % 5 : i))));
  await assertSurvivesDamage(whole, at("damaged.png"), (p) => readPng(p));
  await assertSurvivesDamage(whole, at("mended.png"), (p) => {
    writeFileSync(p, mended(readFileSync(p)));
    return readPng(p);
  });
});

/** Damaged bytes with the checksums of their chunks put right, so that the damage reaches the decoder. */
function mended(bytes: Buffer): Buffer {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end - 4)), end - 4);
    at = end;
  }
  return bytes;
}

test.skipUnless(pythonHas("PIL", "numpy"), "python3 with Pillow is not installed")(
  "Pillow reads 16-bit grey as we wrote it",
  async () => {
    const data = Uint16Array.from({ length: 300 }, (_, i) => i * 218);
    await writePng(at("pil.png"), volume(data, [15, 20]));
    const script = `
import sys, json, numpy as np
from PIL import Image
a = np.array(Image.open(sys.argv[1])); print(json.dumps([list(a.shape), a.astype(int).ravel().tolist()]))`;
    const [shape, values] = pythonJson(script, at("pil.png")) as [number[], number[]];
    assert.equal(shape, [15, 20]);
    assertClose(data, values, {});
  },
);

test.run();
