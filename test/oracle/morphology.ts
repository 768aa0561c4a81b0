/** Dilation of one slice by looking at every pixel in reach; erosion is the dilation of the rest. */
export type Element = { shape: "disk" | "cross" | "box"; reach: number };

export function dilateOracle(mask: Uint8Array, columns: number, { shape, reach }: Element): Uint8Array {
  const isInReach = (dy: number, dx: number) => {
    if (shape === "disk") return dy * dy + dx * dx <= reach * reach;
    if (shape === "cross") return Math.abs(dy) + Math.abs(dx) <= reach;
    return Math.max(Math.abs(dy), Math.abs(dx)) <= reach;
  };
  const set = [...mask.keys()].filter((p) => mask[p]);
  return mask.map((_, p) =>
    set.some((q) => isInReach(Math.floor(p / columns) - Math.floor(q / columns), (p % columns) - (q % columns)))
      ? 1
      : 0,
  );
}

export function erodeOracle(mask: Uint8Array, columns: number, element: Element): Uint8Array {
  const rest = mask.map((m) => (m ? 0 : 1));
  return dilateOracle(rest, columns, element).map((m) => 1 - m);
}
