import type { Command } from "./command.ts";
export function demo(_: { output: string }): Command {
  return async () => 0;
}
