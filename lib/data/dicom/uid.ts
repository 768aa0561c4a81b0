/** Unique identifiers that a rerun makes again: `2.25.` and a UUID (PS3.5 §B.2) from what they identify. */
import { createHash } from "node:crypto";
import { sinoError } from "../../core/errors.ts";

/** The UID of what `configuration` makes of `sourceUid`: a version 8 UUID (RFC 9562) of their SHA-256. */
export function derivedUid(sourceUid: string, configuration: object): string {
  const digest = createHash("sha256")
    .update(`${sourceUid}\n${canonicalJson(configuration)}`)
    .digest()
    .subarray(0, 16);
  digest[6] = 0x80 | (digest[6]! & 0x0f);
  digest[8] = 0x80 | (digest[8]! & 0x3f);
  return `2.25.${BigInt(`0x${digest.toString("hex")}`)}`;
}

/** JSON with sorted keys, so that equal configurations read the same. Throws ERR_SINO_ARG_TYPE where there is no JSON of it. */
export function canonicalJson(value: object): string {
  try {
    return JSON.stringify(value, (_, inner: unknown) =>
      inner !== null && typeof inner === "object" && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
        : inner,
    );
  } catch (cause) {
    throw sinoError("ERR_SINO_ARG_TYPE", "Expected a configuration that can be written as JSON.", { cause });
  }
}
