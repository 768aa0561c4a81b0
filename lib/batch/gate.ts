/** A counted resource that is handed out in the order of asking: bytes of memory, or the right to compute. */
interface Waiting {
  amount: number;
  admit: () => void;
}

export class Gate {
  readonly #size: number;
  #held = 0;
  readonly #waiting: Waiting[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Resolves when that much is free; who asks for more than there is gets it when nobody else holds anything. */
  async take(amount: number): Promise<void> {
    await new Promise<void>((admit) => {
      this.#waiting.push({ amount, admit });
      this.#next();
    });
  }

  give(amount: number): void {
    this.#held -= amount;
    this.#next();
  }

  #next(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      if (this.#held > 0 && this.#held + first.amount > this.#size) return;
      this.#held += first.amount;
      this.#waiting.shift();
      first.admit();
    }
  }
}
