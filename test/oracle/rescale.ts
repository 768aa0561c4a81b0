/** Stored integers bit by bit. */
export function rescaleOracle(
  stored: number,
  width: number,
  isSigned: boolean,
  bits: number,
  slope: number,
  intercept: number,
): number {
  let value = 0;
  const unsigned = stored < 0 ? stored + 2 ** width : stored;
  for (let bit = 0; bit < bits; bit++)
    if (Math.floor(unsigned / 2 ** bit) % 2) value += isSigned && bit === bits - 1 ? -(2 ** bit) : 2 ** bit;
  return Math.fround(slope * value + intercept);
}

export function storeOracle(hu: number, isSigned: boolean, bits: number, slope: number, intercept: number) {
  const low = isSigned ? -(2 ** (bits - 1)) : 0;
  const high = low + 2 ** bits - 1;
  const exact = (hu - intercept) / slope;
  const below = Math.floor(exact);
  const isUp = exact - below > 0.5 || (exact - below === 0.5 && below % 2 !== 0);
  const rounded = isUp ? below + 1 : below;
  if (Number.isNaN(hu)) return { stored: low, clipped: true };
  return { stored: Math.min(Math.max(rounded, low), high), clipped: rounded < low || rounded > high };
}
