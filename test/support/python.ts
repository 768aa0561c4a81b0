/** Independent readers: short Python scripts, where python3 and the packages they need are installed. */
import { spawnSync } from "node:child_process";

export function pythonHas(...packages: string[]): boolean {
  return (
    spawnSync("python3", ["-c", packages.map((name) => `import ${name}`).join("\n")], { stdio: "ignore" }).status === 0
  );
}

/** Runs a script with arguments (sys.argv[1:]) and gives what it printed, parsed as JSON. */
export function pythonJson(script: string, ...args: string[]): unknown {
  const run = spawnSync("python3", ["-c", script, ...args], { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (run.status !== 0) throw new Error(`python3 failed: ${run.stderr || run.error}`);
  return run.stdout.trim() === "" ? undefined : JSON.parse(run.stdout);
}
