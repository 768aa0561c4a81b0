/** Temporary folders, and files damaged on purpose. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { isCodedError } from "../../lib/core/errors.ts";

/** A folder that is removed when the process exits. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sinogram-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Damage {
  /** [where, as a fraction of the length; the new byte] */
  bytes: [number, number][];
  /** Keeps this fraction of the file. */
  keep: number;
  /** Bytes appended. */
  tail: Uint8Array;
}

const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

/** A few changed bytes, mostly within the first `headerLength` bytes, sometimes a cut or an appended tail. */
export function anyDamage(fileLength: number, headerLength: number): fc.Arbitrary<Damage> {
  const place = fc.oneof(
    { weight: 3, arbitrary: fraction.map((f) => (f * Math.min(headerLength, fileLength)) / fileLength) },
    { weight: 1, arbitrary: fraction },
  );
  const byte = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 }));
  return fc.record({
    bytes: fc.array(fc.tuple(place, byte), { maxLength: 6 }),
    keep: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fraction }),
    tail: fc.oneof(
      { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    ),
  });
}

export function damaged(original: Uint8Array, { bytes, keep, tail }: Damage): Buffer {
  const copy = Buffer.from(original);
  for (const [where, value] of bytes) copy[Math.floor(where * copy.length)] = value;
  return Buffer.concat([copy.subarray(0, Math.ceil(keep * copy.length)), tail]);
}

/** Passes when reading every damaged copy of a file either works or throws one of our coded errors with a full sentence. */
export async function assertSurvivesDamage(
  original: Uint8Array,
  path: string,
  read: (path: string) => Promise<unknown>,
  { headerLength = 400, runs = 300, seed = 1 }: { headerLength?: number; runs?: number; seed?: number } = {},
): Promise<void> {
  const property = fc.asyncProperty(anyDamage(original.length, headerLength), async (damage) => {
    writeFileSync(path, damaged(original, damage));
    try {
      await read(path);
    } catch (error) {
      if (!isCodedError(error)) throw new Error(`not a coded error: ${(error as Error)?.stack ?? String(error)}`);
      if (error.code === "ERR_SINO_INTERNAL" || !/[.]$/.test(error.message)) throw error;
    }
  });
  await fc.assert(property, { numRuns: runs, seed });
}
