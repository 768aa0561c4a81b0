/** The transfer syntaxes that sinogram reads (DICOM PS3.5 §8 and PS3.6 table A-1), and what each asks of the reader. */

/** The decoder of dcmjs-codecs that a compressed syntax needs. */
export type Codec = "Rle" | "Jpeg" | "JpegLs" | "Jpeg2000" | "HtJpeg2000" | "JpegXl";

export interface TransferSyntax {
  readonly uid: string;
  readonly name: string;
  /** native: pixels as they are; deflated: the data set is one zlib stream; encapsulated: pixels in compressed fragments. */
  readonly encoding: "native" | "deflated" | "encapsulated";
  readonly bigEndian: boolean;
  readonly implicit: boolean;
  /** True where the syntax as such loses information. */
  readonly lossy: boolean;
  readonly codec?: Codec;
}

const native = (uid: string, name: string, flags: Partial<TransferSyntax> = {}): TransferSyntax => ({
  uid,
  name,
  encoding: "native",
  bigEndian: false,
  implicit: false,
  lossy: false,
  ...flags,
});
const encapsulated = (uid: string, name: string, codec: Codec, lossy = false): TransferSyntax =>
  native(uid, name, { encoding: "encapsulated", codec, lossy });

export const explicitLittleEndian = native("1.2.840.10008.1.2.1", "Explicit VR Little Endian");

export const deflatedExplicit = "1.2.840.10008.1.2.1.99";

const known: readonly TransferSyntax[] = [
  explicitLittleEndian,
  native("1.2.840.10008.1.2", "Implicit VR Little Endian", { implicit: true }),
  native("1.2.840.10008.1.2.2", "Explicit VR Big Endian", { bigEndian: true }),
  native(deflatedExplicit, "Deflated Explicit VR Little Endian", { encoding: "deflated" }),
  encapsulated("1.2.840.10008.1.2.5", "RLE Lossless", "Rle"),
  encapsulated("1.2.840.10008.1.2.4.50", "JPEG Baseline", "Jpeg", true),
  encapsulated("1.2.840.10008.1.2.4.51", "JPEG Extended", "Jpeg", true),
  encapsulated("1.2.840.10008.1.2.4.53", "JPEG Spectral Selection", "Jpeg", true),
  encapsulated("1.2.840.10008.1.2.4.55", "JPEG Full Progression", "Jpeg", true),
  encapsulated("1.2.840.10008.1.2.4.57", "JPEG Lossless", "Jpeg"),
  encapsulated("1.2.840.10008.1.2.4.70", "JPEG Lossless SV1", "Jpeg"),
  encapsulated("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", "JpegLs"),
  encapsulated("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", "JpegLs", true),
  encapsulated("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", "Jpeg2000"),
  encapsulated("1.2.840.10008.1.2.4.91", "JPEG 2000", "Jpeg2000", true),
  encapsulated("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", "JpegXl"),
  encapsulated("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", "JpegXl", true),
  encapsulated("1.2.840.10008.1.2.4.112", "JPEG XL", "JpegXl", true),
  encapsulated("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless", "HtJpeg2000"),
  encapsulated("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 Lossless RPCL", "HtJpeg2000"),
  encapsulated("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", "HtJpeg2000", true),
];
const byUid = new Map(known.map((syntax) => [syntax.uid, syntax]));

/** The syntax of a UID, or undefined where sinogram cannot read it. */
export function transferSyntax(uid: string): TransferSyntax | undefined {
  return byUid.get(uid);
}
