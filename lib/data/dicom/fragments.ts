/** Encapsulated pixel data of one frame (PS3.5 §A.4): an offset table item, then fragments, put together. */

/**
 * Joins the fragments that begin at `bytes[0]` with the offset table item. One frame per file: the offset table, present or
 * empty, tells nothing new. Throws a plain Error whose message says what is wrong.
 */
export function joinFragments(bytes: Buffer): Buffer {
  const fragments: Buffer[] = [];
  let at = 0;
  let isOffsetTable = true;
  for (;;) {
    if (at + 8 > bytes.length) throw new Error(`the file is truncated inside its compressed pixel data`);
    const item = bytes.readUInt32LE(at);
    const length = bytes.readUInt32LE(at + 4);
    at += 8;
    if (item === 0xe0ddfffe) break;
    if (item !== 0xe000fffe)
      throw new Error(
        `expected a fragment of compressed pixel data but found tag ${item.toString(16).padStart(8, "0")}`,
      );
    if (at + length > bytes.length)
      throw new Error(`the file is truncated: a fragment needs ${length} bytes but ${bytes.length - at} follow`);
    if (!isOffsetTable) fragments.push(bytes.subarray(at, at + length));
    isOffsetTable = false;
    at += length;
  }
  if (fragments.length === 0) throw new Error("its pixel data holds no fragment");
  return fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
}
