/** `sinogram mar --method diffusion` with a tiny network made here: results, records, what is refused, and networks that fail. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { fileDigest } from "../../lib/core/digest.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import { nmar, openPrior } from "../../lib/mar/index.ts";
import { loadTrained } from "../../lib/models/index.ts";
import type { NetworkDescription } from "../../lib/networks/index.ts";
import { simulateMetalPair } from "../../lib/physics/index.ts";
import { parseGeometry } from "../../lib/tomography/geometry-file.ts";
import { assertRejects } from "../support/assert-close.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("mar by diffusion");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
let made = 0;
const fresh = () => join(base, String(made++));

// 30 is no multiple of what the network needs
const n = 30;
const json = {
  beam: "fan",
  detector: "flat",
  sod: 300,
  sdd: 600,
  bins: 61,
  binMm: 4,
  angles: { span: 360, count: 60, cellCentred: true },
  image: { shape: [n, n], pixelMm: 4 },
};
const each = (value: (x: number, y: number) => number) =>
  Float32Array.from({ length: n * n }, (_, i) => value((i % n) - (n - 1) / 2, Math.floor(i / n) - (n - 1) / 2));
const mask = volume(Uint8Array.from(each((x, y) => (Math.hypot(x - 5, y) < 2 ? 1 : 0))), [n, n]);
const hu = each((x, y) => (Math.hypot(x, y * 1.2) > 12 ? -1000 : 40));

const network: NetworkDescription = {
  kind: "unet",
  inChannels: 1,
  outChannels: 1,
  channels: [4, 6],
  blocks: 1,
  unshuffle: 2,
  time: true,
};

/** A folder as `sinogram train` leaves it. */
const modelFolder = ({ deviation = 0.1, card = {}, training = {} } = {}): Promise<string> => {
  const data = { offset: -680, factor: 1 / 460, range: [-1000, 2000] };
  const diffusion = { kind: "cosine", steps: 50, prediction: "v" };
  const trained = { task: "diffusion", data, diffusion, ...training };
  return writeModel(fresh(), {
    ...{ network, size: 32, deviation },
    card: { input: { shape: [1, 1, 32, 32] }, training: trained, ...card },
  });
};

const files = {
  geometry: join(base, "g.json"),
  sinogram: join(base, "s.npy"),
  mask: join(base, "m.npy"),
  hu: join(base, "hu.npy"),
};
const geometry = parseGeometry(json);
const { sinogram } = await simulateMetalPair(volume(hu, [n, n]), mask, { geometry, seed: 1 });
await writeFile(files.geometry, JSON.stringify(json));
await writeNpy(files.sinogram, sinogram);
await writeNpy(files.mask, mask);
await writeNpy(
  files.hu,
  volume(hu.map((value, i) => (mask.data[i] ? 5000 : value)) as Float32Array<ArrayBuffer>, [n, n]),
);
const raw = ["mar", "--sinogram", files.sinogram, "--metal-mask", files.mask, "--geometry", files.geometry];
const diffusion = ["--method", "diffusion", "--steps", "3", "--quiet"];
const array = async (path: string) => (await readNpy(path)).array as Volume;

test("of a sinogram: the record says how, the same seed gives the same image, another start another", async () => {
  const model = await modelFolder();
  const run = async (...args: string[]) => {
    const folder = fresh();
    await mkdir(folder);
    const out = join(folder, "i.npy");
    const { code, stderr } = await cli(...raw, ...diffusion, "--model", model, "-o", out, ...args);
    assert.is(code, 0, stderr);
    return { image: await array(out), record: JSON.parse(await readFile(join(folder, "i.json"), "utf8")) };
  };
  const [first, again, other] = [await run("--seed", "7"), await run("--seed", "7"), await run("--seed", "8")];
  assert.equal(first.image.data, again.image.data);
  assert.not.equal(first.image.data, other.image.data);
  const { sha256 } = await fileDigest(join(model, "weights.safetensors"));
  assert.equal(first.record.diffusion, {
    start: "nmar",
    anatomy: "general",
    steps: 3,
    sampler: "renoise",
    weightMask: "fbp",
    fusion: "dudodp",
    fill: "difference",
    seed: 7,
    network: sha256,
  });
  assert.equal(first.record.slices, [{ outcome: "corrected" }]);
  const inverted = await run("--start", "polychromatic", "--weight-mask", "distance", "--fusion", "cosine");
  assert.is(inverted.record.slices[0].metalPixels > 0, true);
  assert.not.equal((await run("--start", "noise", "--sampler", "unipc")).image.data, first.image.data);
});

test("auto: physics and network; physics alone where the shipped network does not fit, and where it is not wanted", async () => {
  const run = async (...args: string[]) => {
    const folder = fresh();
    await mkdir(folder);
    const out = join(folder, "i.npy");
    const { code, stderr } = await cli(...raw, "--method", "auto", "-o", out, ...args);
    assert.is(code, 0, stderr);
    return { image: await array(out), stderr, record: JSON.parse(await readFile(join(folder, "i.json"), "utf8")) };
  };
  const model = await modelFolder();
  const [unfit, alone, both] = [await run(), await run("--model", "none"), await run("--model", model, "--steps", "3")];
  assert.match(unfit.stderr, /physics works alone.*Expected images of half to four times/s);
  assert.is(alone.stderr.includes("physics works alone"), false);
  assert.equal(unfit.image.data, alone.image.data);
  assert.not.equal(both.image.data, alone.image.data);
  assert.is(alone.record.slices[0].outcome, undefined);
  const { verdict, outcome } = both.record.slices[0];
  assert.equal([verdict, outcome], [alone.record.slices[0].verdict, "corrected"]);
  assert.equal([both.record.method, both.record.diffusion.start], ["auto", "polychromatic"]);
});

test("of images: metal stays, a report names the network's settings", async () => {
  const folder = fresh();
  await mkdir(folder);
  const args = ["--model", await modelFolder(), "--pixel-mm", "4", "--seed", "3", "--report"];
  const { code, stderr } = await cli("mar", files.hu, ...diffusion, ...args, "-o", join(folder, "i.npy"));
  assert.is(code, 0, stderr);
  const [before, after] = [await array(files.hu), await array(join(folder, "i.npy"))];
  mask.data.forEach((set, i) => {
    if (set) assert.is(after.data[i], before.data[i]);
  });
  assert.not.equal(after.data, before.data);
  assert.match(await readFile(join(folder, "report.html"), "utf8"), /weightMask fbp, fusion dudodp.*seed 3/);
});

test("a network that says NaN: exit code 4, and the slice as NMAR made it, or as the image was", async () => {
  const model = await modelFolder({ deviation: Number.NaN });
  const folder = fresh();
  await mkdir(folder);
  const out = join(folder, "i.npy");
  const loud = diffusion.filter((word) => word !== "--quiet");
  const { code, stderr } = await cli(...raw, ...loud, "--model", model, "-o", out);
  assert.is(code, 4);
  assert.match(stderr, /failed on 1 slice, left as nmar gave it\. Step 0 \(timestep \d+\) made 900 values/);
  assert.equal((await array(out)).data, (await nmar(sinogram, { metalMask: mask }, geometry)).data);
  const image = join(folder, "image.npy");
  assert.is((await cli("mar", files.hu, ...diffusion, "--model", model, "--pixel-mm", "4", "-o", image)).code, 4);
  assert.equal((await array(image)).data, (await array(files.hu)).data);
});

test("refuses models that do not fit and options that do not belong, and writes nothing", async () => {
  const refused = async (model: string, pattern: RegExp, ...args: string[]) => {
    const folder = fresh();
    await mkdir(folder);
    const { code, stderr } = await cli(...raw, ...diffusion, "--model", model, "-o", join(folder, "i.npy"), ...args);
    assert.not.equal(code, 0);
    assert.match(stderr, pattern);
    assert.equal(await readdir(folder), []);
  };
  const model = await modelFolder();
  await refused(model, /no calibration for 8 bits/, "--precision", "int8");
  await refused(join(base, "nowhere"), /no model .*nowhere.*ERR_SINO_MODEL/);
  await refused(model, /at most as many sampling steps as the schedule has training steps, 50/, "--steps", "51");
  await refused(model, /--passes/, "--passes", "2");
  await refused(model, /--strength/, "--start", "noise", "--strength", "0.5");
  await refused(model, /--anatomy/, "--start", "noise", "--anatomy", "head");
  await refused(model, /--anatomy.*--strength/, "--anatomy", "head", "--strength", "0.5");
  await refused(model, /--model is for --method diffusion/, "--method", "nmar");
  await refused(await modelFolder({ training: { task: "regression" } }), /task "diffusion"/);
  await refused(
    await modelFolder({ training: { data: { range: [0, 1] } } }),
    /card of this one says 0 to 1.*ERR_SINO_MODEL/,
  );
  await refused(await modelFolder({ card: { input: { shape: [1, 1, 512, 512] } } }), /half to four times 512 × 512/);
  await refused(await modelFolder({ card: { network: { ...network, channels: [4, 8] } } }), /expected \d+ values/);
  const file = join(model, "weights.safetensors");
  const weights = await readFile(file);
  await writeFile(file, Buffer.from(weights).fill(7, weights.length - 4));
  await refused(model, /is not what .*model\.json describes/);
  await writeFile(file, weights.subarray(0, weights.length >> 1));
  await refused(model, /weights\.safetensors/);
});

test("a prior takes images whose sides it must pad, and says what it cannot be", async () => {
  const trained = await loadTrained(await modelFolder());
  const prior = await openPrior(trained, { size: [n, 33] });
  const said = await prior.says(volume(new Float32Array(n * 33), [n, 33]), 10);
  assert.equal([...said.shape], [n, 33]);
  await prior.dispose();
  await assertRejects(() => openPrior({ ...trained, diffusion: undefined }, { size: [n, n] }), "ERR_SINO_UNSUPPORTED");
  await assertRejects(() => openPrior(trained, { size: [200, 200] }), "ERR_SINO_MODEL");
  await assertRejects(() => openPrior(trained, { size: [n] as never }), "ERR_SINO_SHAPE");
});

suite.run();
