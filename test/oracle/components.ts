/** Connected parts by flood fill, in the order of their first pixels. */

const reachable: Record<number, (dz: number, dy: number, dx: number) => boolean> = {
  4: (dz, dy, dx) => dz === 0 && Math.abs(dy) + Math.abs(dx) <= 1,
  8: (dz) => dz === 0,
  6: (dz, dy, dx) => Math.abs(dz) + Math.abs(dy) + Math.abs(dx) <= 1,
  18: (dz, dy, dx) => Math.abs(dz) + Math.abs(dy) + Math.abs(dx) <= 2,
  26: () => true,
};

export function labelOracle(
  mask: Uint8Array,
  [slices, rows, columns]: readonly [number, number, number],
  connectivity: number,
): { labels: Int32Array; sizes: number[] } {
  const labels = new Int32Array(mask.length);
  const sizes: number[] = [];
  for (let seed = 0; seed < mask.length; seed++) {
    if (!mask[seed] || labels[seed]) continue;
    sizes.push(0);
    const waiting = [seed];
    labels[seed] = sizes.length;
    for (let p = waiting.pop(); p !== undefined; p = waiting.pop()) {
      sizes[sizes.length - 1]!++;
      const [z, y, x] = [Math.floor(p / columns / rows), Math.floor(p / columns) % rows, p % columns];
      for (const dz of [-1, 0, 1])
        for (const dy of [-1, 0, 1])
          for (const dx of [-1, 0, 1]) {
            const inside =
              z + dz >= 0 && z + dz < slices && y + dy >= 0 && y + dy < rows && x + dx >= 0 && x + dx < columns;
            if (!inside || !reachable[connectivity]!(dz, dy, dx)) continue;
            const q = ((z + dz) * rows + y + dy) * columns + x + dx;
            if (!mask[q] || labels[q]) continue;
            labels[q] = sizes.length;
            waiting.push(q);
          }
    }
  }
  return { labels, sizes };
}

/** Sets what the border cannot reach. */
export function fillHolesOracle(
  mask: Uint8Array,
  shape: readonly [number, number, number],
  dimensions: 2 | 3,
): Uint8Array {
  const [slices, rows, columns] = shape;
  const { labels } = labelOracle(
    mask.map((m) => (m ? 0 : 1)),
    shape,
    dimensions === 3 ? 6 : 4,
  );
  const open = new Set<number>();
  labels.forEach((label, p) => {
    const [z, y, x] = [Math.floor(p / columns / rows), Math.floor(p / columns) % rows, p % columns];
    const atBorder = y === 0 || y === rows - 1 || x === 0 || x === columns - 1;
    if (atBorder || (dimensions === 3 && (z === 0 || z === slices - 1))) open.add(label);
  });
  return mask.map((m, p) => (m || !open.has(labels[p]!) ? 1 : 0));
}
