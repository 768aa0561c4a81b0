/** A counted resource that is handed out in the order of asking: bytes of memory, or the right to compute. */
export interface Share {
  /** Held until it is given back. */
  own: number;
  /** Used by one holder at a time: of all of them only the largest counts. */
  inTurn?: number;
}

interface Waiting {
  share: Share;
  admit: () => void;
}

export class Gate {
  readonly #size: number;
  readonly #held = new Set<Share>();
  readonly #waiting: Waiting[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Resolves when that much is free; who asks for more than there is gets it when nobody else holds anything. */
  async take(share: Share): Promise<void> {
    await new Promise<void>((admit) => {
      this.#waiting.push({ share, admit });
      this.#next();
    });
  }

  /** The same object that was taken. */
  give(share: Share): void {
    this.#held.delete(share);
    this.#next();
  }

  #next(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      if (this.#held.size > 0 && amountOf([...this.#held, first.share]) > this.#size) return;
      this.#held.add(first.share);
      this.#waiting.shift();
      first.admit();
    }
  }
}

function amountOf(shares: readonly Share[]): number {
  return shares.reduce((sum, { own }) => sum + own, 0) + Math.max(...shares.map(({ inTurn = 0 }) => inTurn));
}
