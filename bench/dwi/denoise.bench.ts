/**
 * Denoising a simulated diffusion scan whose truth is known: PSNR of the scan, Patch2Self and Noise2Noise, and what they cost.
 *
 *     node --import tsx bench/dwi/denoise.bench.ts [snr …] [--epochs 20] [--pairs others] [--threads 2]
 */
import { parseArgs } from "node:util";
import { noise2noise, patch2self, structureScore } from "../../lib/dwi/index.ts";
import { psnrInside, simulateDwi } from "./phantom.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { epochs: { type: "string" }, pairs: { type: "string", default: "others" }, threads: { type: "string" } },
});
const pairs = values.pairs === "nearest" ? "nearest" : "others";
const [epochs, threads] = [values.epochs, values.threads].map((text) => (text ? Number(text) : undefined));

async function timed<T>(step: () => Promise<T>): Promise<[T, string]> {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  const result = await step();
  const { user, system } = process.cpuUsage(used);
  const seconds = (performance.now() - begun) / 1000;
  return [result, `${seconds.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of processors`];
}

for (const snr of positionals.length > 0 ? positionals.map(Number) : [10, 25]) {
  const scan = simulateDwi({ snr });
  const gradients = { bvals: scan.bvals, directions: scan.directions };
  const [classical, classicalCost] = await timed(() => patch2self(scan.noisy, { bvals: scan.bvals }));
  const [network, networkCost] = await timed(() => noise2noise(scan.noisy, { gradients, epochs, pairs, threads }));
  const voxels = scan.mask.data.length;
  const shell = (image: { data: Float32Array }) => ({ data: image.data.subarray(voxels), shape: [320, 64, 64] });
  const structure = (image: { data: Float32Array }) => structureScore(shell(scan.noisy), shell(image));
  const line = async (name: string, image: { data: Float32Array }, cost: string, means = image) =>
    console.log(
      `${name.padEnd(12)}${psnrInside(scan, image).toFixed(2).padStart(7)} dB   structure ${(await structure(means)).toFixed(2)}   ${cost}`,
    );
  console.log(`SNR ${snr}, noise ${scan.sigma.toFixed(1)}, estimated ${network.sigma.toFixed(1)}`);
  console.log(`${"scan".padEnd(12)}${psnrInside(scan, scan.noisy).toFixed(2).padStart(7)} dB`);
  await line("Patch2Self", classical, classicalCost);
  await line("Noise2Noise", network.dwi, networkCost, network.means);
}
