/** `sinogram sample`: slices out of noise, by small networks whose answers are known or random. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { volume } from "../../lib/core/arrays.ts";
import { readArray, writeArray } from "../../lib/data/array-files.ts";
import { readSeries } from "../../lib/data/dicom/index.ts";
import { readNifti } from "../../lib/data/nifti.ts";
import { readPng } from "../../lib/data/png.ts";
import { generate, judge, namedConditions } from "../../lib/generate/index.ts";
import { concat, Graph, mul, reduceMean, reshape, writeOnnx } from "../../lib/graph/index.ts";
import { loadTrained } from "../../lib/models/index.ts";
import type { NetworkDescription } from "../../lib/networks/index.ts";
import { cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/files.ts";
import { writeModel } from "../support/models.ts";
import { hasOnnxRuntime, noOnnxRuntime } from "../support/onnxruntime.ts";
import { randomFloats } from "../support/random.ts";
import { testSuite } from "../support/suite.ts";

const suite = testSuite("sample");
const test = suite.skipUnless(hasOnnxRuntime, noOnnxRuntime);
const base = temporaryFolder();
const size = 16;
let made = 0;
const fresh = () => join(base, String(made++));

const plain: NetworkDescription = {
  kind: "unet",
  inChannels: 1,
  outChannels: 1,
  channels: [4, 6],
  blocks: 1,
  unshuffle: 2,
  time: true,
};

/** A folder as `sinogram train` leaves it. */
const modelFolder = (
  network: NetworkDescription = plain,
  { deviation = 0.2, task = "diffusion", diffusion = { kind: "cosine", steps: 100, prediction: "v" } as object } = {},
): Promise<string> => {
  const training = { task, data: { offset: 500, factor: 1 / 1500 }, diffusion };
  return writeModel(fresh(), { network, size, deviation, card: { input: { shape: [1, 1, size, size] }, training } });
};

const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number) => {
  assert.equal(a.length, b.length);
  for (let i = 0; i < a.length; i++) assert.ok(Math.abs(a[i]! - b[i]!) <= tolerance, `${i}: ${a[i]} and ${b[i]}`);
};

test("what the network says the image is, is drawn, in HU, with every sampler", async () => {
  const diffusion = { kind: "cosine", steps: 100, prediction: "sample" };
  const trained = await loadTrained(await modelFolder(plain, { deviation: 0, diffusion }));
  for (const sampler of ["dpm-solver", "ddim", "unipc"] as const) {
    const hu = await generate(trained, { seed: 1, steps: 5, sampler });
    assert.deepEqual([...hu.shape], [1, size, size]);
    // zero on the network's scale; float32 of values up to 1500
    close(hu.data, new Float32Array(size * size).fill(500), 1e-3);
  }
});

test("clamps to the range of the data, which the card has", async () => {
  const diffusion = { kind: "cosine", steps: 100, prediction: "sample" };
  const folder = await modelFolder(plain, { deviation: 5, diffusion });
  const extremes = async () => {
    const { data } = await generate(await loadTrained(folder), { seed: 1, steps: 4 });
    return [Math.min(...data), Math.max(...data)];
  };
  close(await extremes(), [-1000, 2000], 1e-3);
  const path = join(folder, "model.json");
  const card = JSON.parse(await readFile(path, "utf8"));
  card.training.data.range = [-300, 900];
  await writeFile(path, JSON.stringify(card));
  close(await extremes(), [-300, 900], 1e-3);
});

test("a slice depends on its seed and number alone", async () => {
  const trained = await loadTrained(await modelFolder());
  const five = await generate(trained, { seed: 7, steps: 4, count: 5, batch: 2 });
  const three = await generate(trained, { seed: 7, steps: 4, count: 3, batch: 3 });
  // onnxruntime may sum in another order for another batch
  close(five.data.subarray(0, three.data.length), three.data, 0.05);
  const other = await generate(trained, { seed: 8, steps: 4 });
  assert.ok(other.data.some((v, i) => Math.abs(v - five.data[i]!) > 5));
});

test("starts from images, and goes the further the more noise they get", async () => {
  const trained = await loadTrained(await modelFolder(plain, { deviation: 0 }));
  const start = volume(
    Float32Array.from({ length: 3 * size * size }, (_, i) => 500 + 300 * Math.sin(i / 9)),
    [3, size, size],
  );
  const change = async (strength: number) => {
    const { data, shape } = await generate(trained, { seed: 3, steps: 2, start, strength, batch: 2 });
    assert.deepEqual([...shape], [3, size, size]);
    return Math.sqrt(data.reduce((sum, v, i) => sum + (v - start.data[i]!) ** 2, 0) / data.length);
  };
  const [little, much] = [await change(0.02), await change(0.6)];
  // two of a hundred cosine steps: a noise of 0.04 of the network's scale, 1500 HU
  assert.ok(little < 100 && much > 2 * little, `${little}, ${much}`);
});

test("conditions: guidance goes beyond what the class says, away from none", async () => {
  const trained = await loadTrained(await modelFolder({ ...plain, classes: 3, values: 2 }));
  const draw = async (guidance: number, chosen?: number) =>
    (await generate(trained, { seed: 5, steps: 1, class: chosen, values: [0.3, -1], guidance })).data;
  const [none, one, two] = [await draw(0, 1), await draw(1, 1), await draw(2, 1)];
  assert.ok(one.some((v, i) => Math.abs(v - none[i]!) > 1));
  // guidance 0 is no condition; another batch may be summed in another order
  close(none, (await generate(trained, { seed: 5, steps: 1 })).data, 0.05);
  // a single step is linear in what the network says, but for the clamp
  const inside = [...none.keys()].filter((i) => [none, one, two].every((a) => Math.abs(a[i]! - 500) < 1490));
  assert.ok(inside.length > 20);
  for (const i of inside) assert.ok(Math.abs(two[i]! - (2 * one[i]! - none[i]!)) < 1);
  const told = { seed: 5, steps: 1, class: 1, values: [0.3, -1] };
  assert.deepEqual((await generate({ ...trained, guidance: 2 }, told)).data, two);
  const refused = (options: object, pattern: RegExp) =>
    assert.rejects(generate(trained, { seed: 1, ...options }), pattern);
  await refused({ class: 3 }, /never learned class 3: it has classes 0 to 2/);
  await refused({ values: [1] }, /never learned 1 values: it has 2/);
  await assert.rejects(generate(await loadTrained(await modelFolder()), { seed: 1, class: 0 }), /no classes/);
});

test("the command writes NIfTI, DICOM that says SYNTHETIC everywhere, and a contact sheet", async () => {
  const model = await modelFolder();
  const [nifti, dicom] = [fresh(), fresh()];
  const common = ["sample", "--model", model, "--seed", "7", "-n", "3", "--steps", "3", "--quiet"];
  assert.equal((await cli(...common, "-o", nifti, "--pixel-mm", "0.8")).code, 0);
  assert.deepEqual((await readdir(nifti)).sort(), ["samples.nii.gz", "sheet.png", "sinogram.json"]);
  const image = await readNifti(join(nifti, "samples.nii.gz"));
  assert.equal(image.description, "SYNTHETIC");
  assert.deepEqual([...image.array.shape, ...image.spacing.map((v) => Math.round(v * 10))], [3, size, size, 10, 8, 8]);
  assert.deepEqual([...(await readPng(join(nifti, "sheet.png"))).array.shape], [2 * size + 2, 2 * size + 2]);
  assert.equal((await cli(...common, "-o", dicom, "--format", "dicom")).code, 0);
  const series = await readSeries(join(dicom, "dicom"));
  close(series.volume.data, image.array.data as Float32Array, 0.5001);
  assert.equal(series.description, "SYNTHETIC, not a patient");
  const bytes = await readFile(join(dicom, "dicom", "0001.dcm"), "latin1");
  assert.ok(bytes.includes("SYNTHETIC^NOT A PATIENT"));
  // Synthetic Data (0008,001C)
  assert.ok(bytes.includes("\x08\x00\x1c\x00CS\x04\x00YES "));
  const learned = join(base, "learned.npy");
  await writeArray(learned, volume(new Int16Array(4 * size * size), [4, size, size]));
  const compared = await cli(...common, "-o", fresh(), "--compare", learned);
  assert.match(compared.stdout, /nearest learned slice +\d+ HU at least; learned slices have one at 0 HU/);
  const again = fresh();
  await cli(...common, "-o", again, "--format", "dicom");
  assert.equal(await readFile(join(again, "dicom", "0001.dcm"), "latin1"), bytes);
});

test("refuses what cannot be, and leaves nothing behind", async () => {
  const refused = async (model: string, pattern: RegExp, ...args: string[]) => {
    const out = fresh();
    const { code, stderr } = await cli("sample", "--model", model, "--seed", "1", "-o", out, ...args);
    assert.notEqual(code, 0);
    assert.match(stderr, pattern);
    await assert.rejects(readdir(out));
  };
  await refused(join(base, "nowhere"), /nowhere/);
  await refused(await modelFolder(plain, { task: "regression" }), /task "diffusion"/);
  await refused(await modelFolder(), /100/, "--steps", "101");
  await refused(await modelFolder(), /multiples of 4 for the network but received 18 × 18/, "--size", "18");
  await refused(await modelFolder(plain, { deviation: Number.NaN }), /NaN or infinite/);
  await refused(await modelFolder(), /--strength/, "--strength", "0.5");
  await refused(await modelFolder(), /class=2/, "--condition", "age=60");
  const other = await modelFolder();
  const file = join(other, "weights.safetensors");
  const weights = await readFile(file);
  await writeFile(file, weights.fill(7, weights.length - 4));
  await refused(other, /is not what .*model\.json describes/);
  await writeFile(file, weights.subarray(0, weights.length >> 1));
  await refused(other, /weights\.safetensors/);
});

test("training reads validation samples from a file of their own, and leaves what sample takes", async () => {
  const folder = fresh();
  await mkdir(folder);
  const images = (n: number) => volume(randomFloats(n * size * size, n), [n, size, size]);
  await writeArray(join(folder, "train.npy"), images(6));
  await writeArray(join(folder, "held.npy"), images(2));
  const config = {
    task: "diffusion",
    network: plain,
    data: { input: "train.npy", validation: "held.npy" },
    diffusion: { kind: "cosine", steps: 50, prediction: "v", minSnr: 5 },
    steps: 4,
    batch: 3,
    validateEvery: 2,
    threads: 1,
  };
  const path = join(folder, "config.json");
  await writeFile(path, JSON.stringify(config));
  const run = join(folder, "run");
  assert.equal((await cli("train", path, "-o", run, "--quiet")).code, 0);
  const out = fresh();
  assert.equal((await cli("sample", "--model", run, "--seed", "1", "-o", out, "--format", "npy", "--quiet")).code, 0);
  assert.deepEqual([...(await readArray(join(out, "samples.npy"))).array.shape], [1, size, size]);
  // one step at a rate of next to nothing leaves the weights that it starts from
  const further = { ...config, from: "run/weights.safetensors", steps: 1, optimizer: { rate: 1e-12 } };
  await writeFile(path, JSON.stringify(further));
  assert.equal((await cli("train", path, "-o", join(folder, "further"), "--quiet")).code, 0);
  const [before, after] = [await loadTrained(run), await loadTrained(join(folder, "further"))];
  for (const [name, data] of before.weights) close(after.weights.get(name)!, data, 1e-9);
  await writeFile(path, JSON.stringify({ ...further, network: { ...plain, channels: [4, 8] } }));
  assert.match((await cli("train", path, "-o", fresh())).stderr, /belongs to another network/);
  await writeFile(path, JSON.stringify(config));
  await writeArray(join(folder, "held.npy"), volume(new Float32Array(2 * 64), [2, 8, 8]));
  const { code, stderr } = await cli("train", path, "-o", join(folder, "other"));
  assert.equal(code, 3);
  assert.match(stderr, /held\.npy expected samples of \[1, 16, 16\]/);
});

test("a class that was learned is drawn on demand", async () => {
  const folder = fresh();
  await mkdir(folder);
  const [n, side] = [12, 8];
  // class 0 is dark, class 1 bright
  const bright = (i: number) => Math.floor(i / side ** 2) % 2 === 1;
  const images = Float32Array.from({ length: n * side ** 2 }, (_, i) => (bright(i) ? 600 : -600));
  await writeArray(join(folder, "images.npy"), volume(images, [n, side, side]));
  await writeArray(
    join(folder, "classes.npy"),
    volume(
      Uint8Array.from({ length: n }, (_, i) => i % 2),
      [n],
    ),
  );
  await writeArray(join(folder, "few.npy"), volume(new Uint8Array(3), [3]));
  const config = {
    task: "diffusion",
    network: { ...plain, channels: [8], unshuffle: 1, classes: 2 },
    data: { input: "images.npy", classes: "classes.npy", factor: 0.001, validation: 0 },
    diffusion: { prediction: "sample" },
    optimizer: { rate: 0.01 },
    steps: 120,
    batch: 8,
    threads: 1,
  };
  const path = join(folder, "config.json");
  const train = async (change: object) => {
    await writeFile(path, JSON.stringify({ ...config, data: { ...config.data, ...change } }));
    return cli("train", path, "-o", join(folder, "run"), "--quiet");
  };
  assert.match((await train({ classes: undefined })).stderr, /takes 2 classes, but data\.classes names no file/);
  assert.match((await train({ classes: "few.npy" })).stderr, /1 numbers for each of 12 samples/);
  assert.match((await train({ values: "few.npy" })).stderr, /takes no values/);
  assert.equal((await train({})).code, 0);
  const trained = await loadTrained(join(folder, "run"));
  const mean = async (chosen: number) => {
    const { data } = await generate(trained, { seed: 2, count: 4, steps: 5, class: chosen, guidance: 1.5 });
    return data.reduce((a, b) => a + b, 0) / data.length;
  };
  const [dark, light] = [await mean(0), await mean(1)];
  assert.ok(dark < -400 && light > 400, `${dark}, ${light}`);
});

test("what a network attends to, and conditions by name, are learned and drawn on demand", async () => {
  const folder = fresh();
  await mkdir(folder);
  const [n, side] = [12, 8];
  // the second vector of a sequence says how bright it is, and so does an age from 40 to 80
  const level = (k: number) => (k % 2 ? 1 : -1);
  const images = Float32Array.from({ length: n * side ** 2 }, (_, i) => 600 * level(Math.floor(i / side ** 2)));
  await writeArray(join(folder, "images.npy"), volume(images, [n, side, side]));
  const vectors = Float32Array.from({ length: n * 6 }, (_, i) => (i % 6 === 4 ? level(Math.floor(i / 6)) : 0.5));
  await writeArray(join(folder, "context.npy"), volume(vectors, [n, 2, 3]));
  const parts = Uint8Array.from({ length: n }, (_, k) => k % 2);
  await writeArray(join(folder, "parts.npy"), volume(parts, [n]));
  const ages = Float32Array.from({ length: n }, (_, k) => 60 + 20 * level(k));
  await writeArray(join(folder, "ages.npy"), volume(ages, [n, 1]));
  const train = async (network: object, data: object, conditions?: object) => {
    const config = {
      task: "diffusion",
      network: { ...plain, channels: [8], unshuffle: 1, ...network },
      data: { input: "images.npy", factor: 0.001, validation: 0, ...data },
      diffusion: { prediction: "sample" },
      optimizer: { rate: 0.01 },
      ...{ steps: 120, batch: 8, threads: 1, conditions },
    };
    const path = join(folder, "config.json");
    await writeFile(path, JSON.stringify(config));
    const out = fresh();
    return { out, ...(await cli("train", path, "-o", out, "--quiet")) };
  };
  const mean = ({ data }: { data: Float32Array }) => data.reduce((a, b) => a + b, 0) / data.length;

  const attentive = { context: 3, attention: [0], heads: 1 };
  assert.match((await train(attentive, {})).stderr, /takes a context, but data\.context names no file/);
  assert.match((await train(attentive, { context: "ages.npy" })).stderr, /sequences \[12, length, 3\]/);
  const attending = await train(attentive, { context: "context.npy" });
  assert.equal(attending.code, 0, attending.stderr);
  const trained = await loadTrained(attending.out);
  const draw = async (bright: number) => {
    const context = volume(Float32Array.of(0.5, 0.5, 0.5, 0.5, bright, 0.5), [2, 3]);
    return mean(await generate(trained, { seed: 2, count: 4, steps: 5, context }));
  };
  const [dim, lit] = [await draw(-1), await draw(1)];
  assert.ok(dim < -300 && lit > 300, `${dim}, ${lit}`);
  const wrong = { context: volume(new Float32Array(4), [2, 2]) };
  await assert.rejects(generate(trained, { seed: 2, ...wrong }), { code: "ERR_SINO_UNSUPPORTED" });

  const names = { bodyPart: ["head", "chest"], age: { offset: 60, factor: 0.05 } };
  const both = { classes: "parts.npy", values: "ages.npy" };
  const short = { ...names, bodyPart: ["head"] };
  assert.match((await train({ classes: 2, values: 1 }, both, short)).stderr, /one list of 2 names/);
  const named = await train({ classes: 2, values: 1 }, both, names);
  assert.equal(named.code, 0, named.stderr);
  const chest = namedConditions(await loadTrained(named.out), { bodyPart: "chest", age: "80" });
  assert.deepEqual(chest, { class: 1, values: [1] });
  const sample = async (condition: string) => {
    const out = fresh();
    const words = ["--model", named.out, "--seed", "3", "--steps", "5", "--condition", condition, "--format", "npy"];
    const { code, stderr } = await cli("sample", ...words, "-o", out, "--quiet");
    return { code, stderr, mean: code === 0 ? mean((await readArray(join(out, "samples.npy"))).array as never) : 0 };
  };
  assert.ok((await sample("bodyPart=chest,age=80")).mean > 300);
  assert.ok((await sample("bodyPart=head,age=40")).mean < -300);
  const knee = await sample("bodyPart=knee");
  assert.equal(knee.code, 3);
  assert.match(knee.stderr, /never learned bodyPart=knee: it has bodyPart \(head, chest\), age/);
});

test("says which slices are copies, how much they differ, and which tissues they have", async () => {
  const [m, side] = [9, 64];
  const area = side * side;
  const learned = Float32Array.from({ length: m * area }, (_, i) => {
    const [k, r, c] = [Math.floor(i / area), Math.floor(i / side) % side, i % side];
    return 400 * Math.sin((r + 2 * c + 30 * k) / 9) + (c > 40 ? 100 * k : 0);
  });
  // the first is slice 5 turned and mirrored, 10 HU off; the others are flat
  const generated = new Float32Array(3 * area).fill(0, area, 2 * area).fill(300, 2 * area);
  for (let r = 0; r < side; r++)
    for (let c = 0; c < side; c++) generated[r * side + c] = learned[5 * area + c * side + (side - 1 - r)]! + 10;
  const result = await judge(volume(generated, [3, side, side]), volume(learned, [m, side, side]));
  assert.equal(result.nearest[0]!.learned, 5);
  // sums of squares in float32 are known to a few parts in ten million
  assert.ok(Math.abs(result.nearest[0]!.rmseHu - 10) < 0.1, String(result.nearest[0]!.rmseHu));
  assert.ok(result.nearest[1]!.rmseHu > 100 && result.neighboursHu > 20);
  const rmse = (a: Float32Array, i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < area; k++) sum += (a[i * area + k]! - a[j * area + k]!) ** 2;
    return Math.sqrt(sum / area);
  };
  const pairs = (rmse(generated, 0, 1) + rmse(generated, 0, 2) + rmse(generated, 1, 2)) / 3;
  assert.ok(Math.abs(result.diversityHu.generated - pairs) < 0.1);
  const soft = generated.reduce((n, v) => n + (v >= -30 && v < 150 ? 1 : 0), 0) / generated.length;
  assert.ok(Math.abs(result.tissue["soft"]!.generated - soft) < 1e-6);
  const bone = learned.reduce((n, v) => n + (v >= 200 ? 1 : 0), 0) / learned.length;
  assert.ok(Math.abs(result.tissue["bone"]!.learned - bone) < 1e-6);
});

/** Logits: one class likes bright images, the other dark ones. */
function brightness(): Uint8Array {
  const graph = new Graph("brightness");
  const x = graph.input("image", [1, 1, size, size]);
  const mean = reduceMean(reshape(x, [1, -1]), [1], { keep: true });
  graph.output("logits", concat([mul(mean, 8), mul(mean, -8)], 1));
  return writeOnnx(graph);
}

test("a classifier draws towards the class that it is asked for, for every prediction", async () => {
  for (const prediction of ["sample", "epsilon", "v"]) {
    const diffusion = { kind: "linear", steps: 100, prediction };
    const trained = await loadTrained(await modelFolder(plain, { deviation: 0.02, diffusion }));
    const mean = async (chosen?: number) => {
      const classifier = chosen === undefined ? undefined : { model: brightness(), class: chosen, scale: 40 };
      const { data } = await generate(trained, { seed: 4, steps: 6, sampler: "ddim", threads: 1, classifier });
      return data.reduce((a, b) => a + b, 0) / data.length;
    };
    const [alone, bright, dark] = [await mean(), await mean(0), await mean(1)];
    assert.ok(bright > alone + 20 && dark < alone - 20, `${prediction}: ${dark}, ${alone}, ${bright}`);
  }
});

test("a classifier without the class, or of something else, is refused", async () => {
  const trained = await loadTrained(await modelFolder());
  const draw = (model: Uint8Array | string, chosen: number) =>
    generate(trained, { seed: 1, steps: 2, classifier: { model, class: chosen } });
  await assert.rejects(draw(brightness(), 2), { code: "ERR_SINO_OUT_OF_RANGE" });
  await assert.rejects(draw(join(base, "absent.onnx"), 0), { code: "ERR_SINO_IO" });
  await assert.rejects(draw(new Uint8Array(7), 0), { code: "ERR_SINO_IO_FORMAT" });
  const { code, stderr } = await cli("sample", "--model", base, "--seed", "1", "-o", fresh(), "--classifier", "C.onnx");
  assert.equal(code, 2);
  assert.match(stderr, /go together/);
});

test("features of the network tell sets of slices apart, and MS-SSIM how alike slices are", async () => {
  const network = await loadTrained(await modelFolder(plain, { deviation: 0.5 }));
  const [n, side] = [12, 176];
  const set = (seed: number, waves: number) => {
    const phase = randomFloats(n, seed).map((v) => 6 * v);
    return volume(
      Float32Array.from({ length: n * side * side }, (_, i) => {
        const [k, r, c] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
        return 300 + 600 * Math.sin(phase[k]! + (waves * (r + c)) / side);
      }),
      [n, side, side],
    );
  };
  const [learned, like, other] = [set(1, 6), set(2, 6), set(3, 40)];
  const [same, apart] = [await judge(like, learned, { network }), await judge(other, learned, { network })];
  assert.ok(
    apart.frechet!.generated > 5 * same.frechet!.generated,
    `${same.frechet!.generated}, ${apart.frechet!.generated}`,
  );
  assert.ok(same.frechet!.halves < apart.frechet!.generated);
  assert.ok(same.msSsim!.generated < 0.9);
  const one = volume(
    new Float32Array(n * side * side).map((_, i) => learned.data[i % (side * side)]!),
    [n, side, side],
  );
  assert.ok((await judge(one, learned)).msSsim!.generated > 0.999);
});

suite.run();
