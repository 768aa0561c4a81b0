/** Text of a DICOM value in its SpecificCharacterSet (PS3.3 §C.12.1.1.2), for showing; writing never re-encodes text. */

const labels: Record<string, string> = {
  "ISO_IR 100": "latin1",
  "ISO_IR 101": "iso-8859-2",
  "ISO_IR 109": "iso-8859-3",
  "ISO_IR 110": "iso-8859-4",
  "ISO_IR 144": "iso-8859-5",
  "ISO_IR 127": "iso-8859-6",
  "ISO_IR 126": "iso-8859-7",
  "ISO_IR 138": "iso-8859-8",
  "ISO_IR 148": "iso-8859-9",
  "ISO_IR 166": "windows-874",
  "ISO_IR 13": "shift_jis",
  "ISO_IR 192": "utf-8",
  "ISO 2022 IR 87": "iso-2022-jp",
  "ISO 2022 IR 149": "euc-kr",
  GB18030: "gb18030",
  GBK: "gbk",
};

/** `characterSet` is the whole value of (0008,0005); of several sets the last known one is taken. */
export function decodeText(bytes: Uint8Array, characterSet: string | undefined): string {
  const sets = (characterSet ?? "").split("\\").map((name) => name.trim());
  const label = sets.map((name) => labels[name]).findLast((found) => found !== undefined) ?? "latin1";
  const text = new TextDecoder(label).decode(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: padding and escapes are what is removed
  return text.replace(/[\0-\x1f]/g, "").trim();
}

/** True where every byte is one character, so that text may be cut anywhere. */
export function isSingleByte(characterSet: string | undefined): boolean {
  return /^(ISO_IR (?!192)\d+)?$/.test((characterSet ?? "").trim());
}
