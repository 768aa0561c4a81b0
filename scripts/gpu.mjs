// `npm run test:gpu` and `npm run bench:gpu`: the native programs of native/test (cmake and nvcc, no Node in them), then the same through
// Node, on this machine's GPU. Where there is none they say so and succeed. Words go to the programs: npm run bench:gpu -- parallel fbp
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { setup } from "./setup.mjs";

const root = resolve(import.meta.dirname, "..");
const folder = join(root, "build/gpu");
const [task, ...words] = process.argv.slice(2);
const programs = { test: "sinogram_cuda_test", bench: "sinogram_device_bench" };

/** Runs a command of the user's terminal; ends with its status where that is not 0. */
function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

if (!(task in programs)) {
  console.error("Expected test or bench.");
  process.exit(2);
}
setup();
const asked = spawnSync(process.execPath, [join(root, "bin/sinogram.js"), "doctor", "--json"], { encoding: "utf8" });
if (asked.status !== 0) {
  console.error(`${task}:gpu: sinogram doctor failed, so nothing is known of GPUs:\n${asked.stderr}`);
  process.exit(1);
}
const { addon } = JSON.parse(asked.stdout);
const cuda = addon.devices.filter(({ name }) => name.startsWith("cuda"));
if (!cuda.some(({ usable }) => usable)) {
  console.log(`${task}:gpu: nothing was run, there is no usable CUDA device: ${cuda.map((d) => d.reason).join("; ")}.`);
  process.exit(0);
}
run("cmake", [
  "-S",
  root,
  "-B",
  folder,
  "-DSINO_NATIVE_TESTS=ON",
  "-DSINO_CUDA=ON",
  "-DCMAKE_CUDA_ARCHITECTURES=native",
]);
run("cmake", ["--build", folder, "--parallel", "--target", programs[task]]);
run(join(folder, "native/test", programs[task]), words);
if (task === "test") run(process.execPath, ["--import", "tsx", join(root, "test/process/devices.test.ts")]);
else run(process.execPath, ["--import", "tsx", join(root, "bench/ops/device.bench.ts")]);
