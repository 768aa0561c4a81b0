/** Large copies leave the event loop its turns, counted rather than timed. */
import { setImmediate as nextTurn } from "node:timers/promises";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { copyInTurns, pieces } from "../../lib/core/turns.ts";
import { correctImages } from "../../lib/mar/image.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("turns");

async function turnsDuring(step: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const counting = (async () => {
    for (; !isOver; turns++) await nextTurn();
  })();
  await step();
  isOver = true;
  await counting;
  return turns;
}

test("a copy is a copy, with a turn after each megabyte; an abort ends it", async () => {
  const from = Float32Array.from({ length: (5 << 18) + 3 }, (_, i) => i % 1009);
  const to = new Float32Array(from.length);
  assert.ok((await turnsDuring(() => copyInTurns(from, to))) >= 6);
  assert.ok(Buffer.from(to.buffer).equals(Buffer.from(from.buffer)));
  let length = 0;
  for await (const [piece, first] of pieces(new Uint8Array(3))) length += piece.length + first;
  assert.is(length, 3);
  await copyInTurns(new Float32Array(0), new Float32Array(0));
  assert.is(await copyInTurns(from, to, AbortSignal.abort("enough")).catch((reason) => reason), "enough");
});

test("correctImages fills `out` where there is one", async () => {
  const images = volume(new Float32Array(3 * 40 * 40).fill(7), [3, 40, 40]);
  const out = volume(new Float32Array(images.size), images.shape);
  const { hu } = await correctImages(images, { pixelMm: 1, out });
  assert.is(hu.data.buffer, out.data.buffer);
  assert.ok(Buffer.from(out.data.buffer).equals(Buffer.from(images.data.buffer)));
});

test.run();
