/** One line on a terminal: phase, bar, percent, time left. */
import type { Progress } from "../native/job.ts";

const barWidth = 24;

/** "1 min 05 s", "12 s". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** The text of one event; `seconds` have passed since its phase began. */
export function progressText({ phase, done, total }: Progress, seconds: number): string {
  const fraction = total > 0 ? Math.min(1, done / total) : 1;
  const filled = Math.round(fraction * barWidth);
  const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
  const percent = `${Math.floor(fraction * 100)}`.padStart(3);
  const left =
    fraction > 0 && fraction < 1 && seconds > 1 ? `  ${duration((seconds / fraction) * (1 - fraction))} left` : "";
  return `${phase.padEnd(16)} ${bar} ${percent} %${left}`;
}

/** Draws events over each other on a terminal. */
export class ProgressLine {
  readonly #stream: NodeJS.WritableStream & { columns?: number };
  #phase = "";
  #begun = 0;
  #shown = false;

  constructor(stream: NodeJS.WritableStream & { columns?: number }) {
    this.#stream = stream;
  }

  draw(event: Progress): void {
    if (event.phase !== this.#phase) {
      this.#phase = event.phase;
      this.#begun = performance.now();
    }
    this.drawText(progressText(event, (performance.now() - this.#begun) / 1000));
  }

  drawText(text: string): void {
    this.#stream.write(`\r\x1b[2K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
    this.#shown = true;
  }

  /** Takes the line away, so that other text can be written. */
  clear(): void {
    if (this.#shown) this.#stream.write("\r\x1b[2K");
    this.#shown = false;
  }
}
