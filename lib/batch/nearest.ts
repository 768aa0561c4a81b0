/** The known word that a mistyped one was meant to be. */

/** Single-letter changes between two words (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

const plain = (word: string): string => word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** Undefined where nothing is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const scored = known.map((name) => ({ name, score: distance(plain(word), plain(name)) }));
  const best = scored.toSorted((a, b) => a.score - b.score)[0];
  return best && best.score < word.length && best.score <= Math.max(2, word.length / 3) ? best.name : undefined;
}
