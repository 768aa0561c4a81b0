/**
 * Images that no scanner made as a DICOM series of their own, so that every viewer shows them and nobody takes them for a
 * patient: Synthetic Data (0008,001C) YES, and SYNTHETIC as patient's name, in the image type and in the descriptions.
 */
import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Volume } from "../../core/arrays.ts";
import { ioError, putFolder, writeFileAtomic } from "../../core/files.ts";
import { storeSlices } from "../../native/ops.ts";
import { implementationName, implementationUid } from "./derive.ts";
import { element, unsigned16 } from "./element.ts";
import { explicitLittleEndian } from "./syntaxes.ts";
import { derivedUid } from "./uid.ts";

export interface SyntheticSeriesOptions {
  /** The folder to make; new or empty. */
  readonly out: string;
  /** How the images were made: the UIDs follow from it. */
  readonly configuration: object;
  /** Of the model; ASCII. */
  readonly model: string;
  /** Row and column spacing, mm. */
  readonly pixelMm: readonly [number, number];
}

const ctImage = "1.2.840.10008.5.1.4.1.1.2";
const ourFile = /^\d{4,}\.dcm$/;

/**
 * Writes HU [n, row, column] as 0001.dcm, 0002.dcm, …; slices lie 10 mm apart, as they have nothing to do with each other.
 * No clock is read: the same call writes the same bytes. Throws ERR_SINO_IO.
 */
export async function writeSyntheticSeries(hu: Volume, options: SyntheticSeriesOptions): Promise<string[]> {
  const [count, rows, columns] = hu.shape as [number, number, number];
  const out = resolve(options.out);
  const temporary = join(dirname(out), `.${basename(out)}.${randomBytes(6).toString("hex")}.tmp`);
  const names = Array.from({ length: count }, (_, i) => `${String(i + 1).padStart(4, "0")}.dcm`);
  try {
    await mkdir(temporary, { recursive: true });
    for (const [i, name] of names.entries()) {
      const pixels = hu.data.subarray(i * rows * columns, (i + 1) * rows * columns);
      const { stored } = await storeSlices(pixels, Float64Array.of(1), Float64Array.of(-1024), {
        signed: false,
        bitsStored: 16,
      });
      await writeFileAtomic(join(temporary, name), fileOf(stored, i, [rows, columns], options));
    }
    await putFolder(temporary, out, ourFile);
    return names.map((name) => join(out, name));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw ioError("write", out, error);
  }
}

function fileOf(
  stored: Uint16Array | Int16Array,
  i: number,
  [rows, columns]: readonly [number, number],
  { configuration, model, pixelMm }: SyntheticSeriesOptions,
): Buffer {
  const uid = (of: string) => derivedUid(`synthetic ${of}`, configuration);
  const instance = uid(`instance ${i}`);
  const text = (tag: string, vr: string, value: string) => element(tag, vr, value);
  const short = (tag: string, value: number) => element(tag, "US", unsigned16(value));
  const identity = uid("study");
  const elements = [
    text("x00080008", "CS", "DERIVED\\SECONDARY\\AXIAL\\SYNTHETIC"),
    text("x00080016", "UI", ctImage),
    text("x00080018", "UI", instance),
    text("x0008001c", "CS", "YES"),
    text("x00080020", "DA", ""),
    text("x00080030", "TM", ""),
    text("x00080050", "SH", ""),
    text("x00080060", "CS", "CT"),
    text("x00080070", "LO", "sinogram"),
    text("x00080090", "PN", ""),
    text("x00081030", "LO", "SYNTHETIC"),
    text("x0008103e", "LO", "SYNTHETIC, not a patient"),
    text("x00082111", "ST", `SYNTHETIC: made by the network ${model}, not by a scanner.`),
    text("x00100010", "PN", "SYNTHETIC^NOT A PATIENT"),
    text("x00100020", "LO", `SYNTHETIC-${identity.slice(-12)}`),
    text("x00100030", "DA", ""),
    text("x00100040", "CS", ""),
    text("x00180050", "DS", "1"),
    text("x00180060", "DS", ""),
    text("x0020000d", "UI", identity),
    text("x0020000e", "UI", uid("series")),
    text("x00200010", "SH", "SYNTHETIC"),
    text("x00200011", "IS", "1"),
    text("x00200013", "IS", String(i + 1)),
    text("x00200032", "DS", `0\\0\\${10 * i}`),
    text("x00200037", "DS", "1\\0\\0\\0\\1\\0"),
    text("x00200052", "UI", uid("frame of reference")),
    text("x00201040", "LO", ""),
    text("x00204000", "LT", "SYNTHETIC. For research only."),
    short("x00280002", 1),
    text("x00280004", "CS", "MONOCHROME2"),
    short("x00280010", rows),
    short("x00280011", columns),
    text("x00280030", "DS", pixelMm.join("\\")),
    short("x00280100", 16),
    short("x00280101", 16),
    short("x00280102", 15),
    short("x00280103", 0),
    text("x00281052", "DS", "-1024"),
    text("x00281053", "DS", "1"),
    text("x00281054", "LO", "HU"),
    element("x7fe00010", "OW", new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength)),
  ];
  const meta = Buffer.concat([
    element("x00020001", "OB", Uint8Array.of(0, 1)),
    text("x00020002", "UI", ctImage),
    text("x00020003", "UI", instance),
    text("x00020010", "UI", explicitLittleEndian.uid),
    text("x00020012", "UI", implementationUid),
    text("x00020013", "SH", implementationName),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element("x00020000", "UL", length), meta, ...elements]);
}
