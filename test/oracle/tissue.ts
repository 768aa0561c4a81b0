/** k-means with three classes on a list of values, by the book, and the thresholds that NMAR reads off it. */
export function tissueOracle(values: Float32Array, muWater: number): { water: number; bone: number } {
  const finite = [...values].filter(Number.isFinite);
  let centres = [0, muWater, 2 * muWater];
  let classes: number[][] = [];
  for (let iteration = 0; iteration < 300; iteration++) {
    classes = [[], [], []];
    for (const value of finite) {
      const distance = centres.map((centre) => Math.abs(value - centre));
      classes[distance.indexOf(Math.min(...distance))]!.push(value);
    }
    const next = centres.map((centre, k) => {
      const members = classes[k]!;
      return members.length ? members.reduce((sum, value) => sum + value, 0) / members.length : centre;
    });
    if (next.every((centre, k) => centre === centres[k])) break;
    centres = next;
  }
  const smallest = (k: number) =>
    classes[k]!.length ? classes[k]!.reduce((a, b) => Math.min(a, b)) : (centres[k - 1]! + centres[k]!) / 2;
  return { water: smallest(1), bone: Math.max(smallest(2), 1.2 * muWater) };
}
