/** Independent readers: short Python scripts, where python3, or what SINOGRAM_PYTHON names, has the packages they need. */
import { spawnSync } from "node:child_process";

const python = process.env["SINOGRAM_PYTHON"] ?? "python3";

export function pythonHas(...packages: string[]): boolean {
  return (
    spawnSync(python, ["-c", packages.map((name) => `import ${name}`).join("\n")], { stdio: "ignore" }).status === 0
  );
}

/** Runs a script with arguments (sys.argv[1:]) and gives what it printed, parsed as JSON. */
export function pythonJson(script: string, ...args: string[]): unknown {
  const run = spawnSync(python, ["-c", script, ...args], { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (run.status !== 0) throw new Error(`${python} failed: ${run.stderr || run.error}`);
  return run.stdout.trim() === "" ? undefined : JSON.parse(run.stdout);
}
