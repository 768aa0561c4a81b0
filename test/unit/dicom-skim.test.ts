/** The skimmed head: never says anything else than dicom-parser, whatever is cut off or changed, and steps aside where that fails. */
import * as assert from "uvu/assert";
import { parse } from "../../lib/data/dicom/parse.ts";
import { type HeadData, skim } from "../../lib/data/dicom/skim.ts";
import { tags } from "../../lib/data/dicom/tags.ts";
import { ctSlice, dicomBytes, type FileOptions, fragments } from "../support/dicom.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("dicom skim");

const slice = ctSlice({
  extra: [
    [0x00080005, "CS", "ISO_IR 100"],
    [
      0x00081140,
      "SQ",
      [
        [
          [0x00081150, "UI", "1.2.3"],
          [0x00400275, "SQ", [[[0x00400007, "LO", "deep"]], []]],
        ],
      ],
    ],
    [0x0008103e, "LO", "h\u00fcft\u00a0"],
    [0x00280120, "SS", [-2000]],
    [0x00321060, "LO", ""],
  ],
});
const regular: [string, FileOptions][] = [
  ["lengths", {}],
  ["delimiters", { undefinedLengths: true }],
  ["compressed", { encapsulated: { uid: "1.2.840.10008.1.2.5", body: fragments(Uint8Array.of(1, 2, 3, 4)) } }],
];

function said(head: HeadData) {
  const pixels = head.elements[tags.pixelData];
  return {
    fields: Object.values(tags)
      .filter((tag) => tag !== tags.pixelData)
      .map((tag) => [tag, head.string(tag), head.uint16(tag), head.int16(tag), head.elements[tag]?.length]),
    pixels: [pixels?.dataOffset, pixels?.length, pixels?.vr, pixels?.hadUndefinedLength],
  };
}

/** True where the head was skimmed; then dicom-parser must say the same. */
function agrees(bytes: Buffer, what: string): boolean {
  const skimmed = skim(bytes);
  if (!skimmed) return false;
  const parsed = parse("file", bytes, { partial: true });
  assert.ok(parsed, `${what}: skimmed, but it cannot be parsed`);
  assert.equal(said(skimmed), said(parsed!), what);
  return true;
}

for (const [name, options] of regular)
  test(`${name}: as parsed, with every beginning and every byte changed`, () => {
    const bytes = dicomBytes(slice, options);
    const head = skim(bytes)!.elements[tags.pixelData]!.dataOffset;
    assert.ok(agrees(bytes, name));
    for (let length = 132; length < head; length++) assert.not(agrees(bytes.subarray(0, length), `first ${length}`));
    assert.ok(agrees(bytes.subarray(0, head), "up to the pixels"));
    let skimmed = 0;
    for (let at = 132; at < head; at++)
      for (const value of [0, 1, 2, 0x53, 0xfe, 0xff, bytes[at]! ^ 1, bytes[at]! ^ 0x80]) {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        skimmed += Number(agrees(changed, `byte ${at} = ${value}`));
      }
    assert.ok(skimmed > head); // most changes are inside of values
  });

test("other syntaxes, and sequences without end, are left to dicom-parser", () => {
  for (const syntax of ["implicit", "bigEndian", "deflated"] as const)
    assert.is(skim(dicomBytes(slice, { syntax })), undefined);
  const nested = Buffer.concat(
    Array.from({ length: 2000 }, () =>
      Buffer.from([8, 0, 0x40, 0x11, 0x53, 0x51, 0, 0, 255, 255, 255, 255, 0xfe, 0xff, 0, 0xe0, 255, 255, 255, 255]),
    ),
  );
  const bytes = dicomBytes(slice);
  const at = bytes.indexOf(Buffer.from([8, 0, 5, 0])); // where the data set begins
  assert.is(skim(Buffer.concat([bytes.subarray(0, at), nested])), undefined);
});

test.run();
