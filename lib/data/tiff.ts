/** TIFF images and stacks of numbers (strips, tiles, BigTIFF, signed samples), through the optional package geotiff. */
import type { GeoTIFF, GeoTIFFImage } from "geotiff";
import { type TypedArray, type Volume, volume } from "../core/arrays.ts";
import { isCodedError } from "../core/errors.ts";
import { bytesPerElement, type StoredType } from "./elements.ts";
import { importOptional } from "./optional.ts";
import { allocate, type ByteSource, checkedByteLength, deflateLimit, formatError, withFile } from "./source.ts";

export interface TiffImage {
  /** [row, column] of one page, [page, row, column] of several; colour and other samples as a last axis. */
  array: Volume<TypedArray>;
  dtype: StoredType;
}

/** LZW and the newer codecs expand further than deflate; more than this is a damaged size. */
const codecLimit = 4 * deflateLimit;
const noCompression = 1;

/**
 * Reads all pages of a TIFF file, which must have one size and type. Values come as stored.
 * Throws ERR_SINO_IO, ERR_SINO_IO_FORMAT, ERR_SINO_UNSUPPORTED (without geotiff).
 */
export async function readTiff(path: string): Promise<TiffImage> {
  await withFile(path, checkSignature);
  const { fromFile } = await importOptional("geotiff", "Reading TIFF", () => import("geotiff"));
  let tiff: GeoTIFF | undefined;
  try {
    const length = await withFile(path, async (source) => source.length);
    tiff = await fromFile(path);
    return await readPages(await pagesOf(tiff, path, length), path, length);
  } catch (error) {
    if (isCodedError(error)) throw error;
    throw formatError(
      path,
      `its TIFF data are damaged (${error instanceof Error ? error.message : String(error)}).`,
      {},
      error,
    );
  } finally {
    tiff?.close();
  }
}

async function checkSignature(source: ByteSource): Promise<void> {
  const start = Buffer.from(await source.read(0, 4, "a TIFF header")).toString("latin1");
  if (!["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(start))
    throw formatError(source.name, `expected a TIFF image but found ${JSON.stringify(start)} at its start.`);
}

/** Follows the chain of pages, which in a damaged file may be a circle: a page takes 18 bytes at least. */
async function pagesOf(tiff: GeoTIFF, path: string, length: number): Promise<GeoTIFFImage[]> {
  const pages: GeoTIFFImage[] = [await tiff.getImage(0)];
  for (let next = 1; ; next++) {
    const page = await tiff.getImage(next).catch((error: Error) => {
      if (error.constructor.name === "GeoTIFFImageIndexError" || /No image at index/.test(error.message))
        return undefined;
      throw error;
    });
    if (!page) return pages;
    if (next * 18 > length) throw formatError(path, "its pages refer to each other in a circle. The file is damaged.");
    pages.push(page);
  }
}

async function readPages(pages: readonly GeoTIFFImage[], path: string, length: number): Promise<TiffImage> {
  const first = describe(pages[0]!, path);
  const shape = [...(pages.length > 1 ? [pages.length] : []), ...first.shape];
  const limit = first.isCompressed ? length * codecLimit : length;
  const total = checkedByteLength(path, shape, bytesPerElement[first.dtype], limit);
  let all: TypedArray | undefined;
  for (const [index, page] of pages.entries()) {
    const { shape: size, dtype } = describe(page, path);
    if (dtype !== first.dtype || size.join() !== first.shape.join())
      throw formatError(
        path,
        `expected pages of one size and type, ${first.shape.join(" × ")} ${first.dtype}, but found page ${index + 1} with ${size.join(" × ")} ${dtype}.`,
      );
    const data = (await page.readRasters({ interleave: true })) as unknown as TypedArray;
    const Kind = data.constructor as new (buffer: ArrayBuffer) => TypedArray;
    if (pages.length === 1) all = data;
    else all ??= new Kind(allocate(total, path).buffer);
    if (data.length * pages.length !== all.length)
      throw formatError(path, `page ${index + 1} has ${data.length} values.`);
    if (all !== data) all.set(data, index * data.length);
  }
  return { array: volume(all!, shape), dtype: first.dtype };
}

interface Page {
  shape: number[];
  dtype: StoredType;
  isCompressed: boolean;
}

function describe(page: GeoTIFFImage, path: string): Page {
  const samples = page.getSamplesPerPixel();
  const bits = page.getBitsPerSample();
  const format = page.getSampleFormat();
  const kind = { 1: "uint", 2: "int", 3: "float" }[format] ?? "";
  const dtype = `${kind}${bits}`;
  if (!["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"].includes(dtype))
    throw formatError(
      path,
      `expected samples of 8, 16 or 32 bits or floats but found ${bits} bits of format ${format}.`,
    );
  const size = [page.getHeight(), page.getWidth()];
  const isCompressed = (page.fileDirectory.getValue("Compression") ?? noCompression) !== noCompression;
  return { shape: samples > 1 ? [...size, samples] : size, dtype: dtype as StoredType, isCompressed };
}
