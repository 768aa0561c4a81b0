/** Pairs of the mismatch suite: made once, kept as .npy with a manifest, by a hash of the code that made them. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Volume, volume } from "../../lib/core/arrays.ts";
import { writeFileAtomic } from "../../lib/core/files.ts";
import { readNpy, writeNpy } from "../../lib/data/npy.ts";
import type { Case, Scene } from "./cases.ts";
import { chords, coverage, moved, outline, type Polygon } from "./metal.ts";
import { type FanGeometry, lineIntegrals, Rays } from "./rays.ts";
import { levels, type Paths, scan, waterPerMm } from "./scan.ts";
import { benchCache, regionSlices } from "./slices.ts";
import { densities } from "./spectrum.ts";

export const geometryFile = join(import.meta.dirname, "../../examples/geometry/syndeeplesion-640.json");

export interface Pair {
  /** [view, bin] */
  sinogram: Volume;
  /** 1/mm, [row, column], without the metal. */
  truth: Volume;
  /** Pixels that metal fills to the half at least, and all that it touches. */
  mask: Volume<Uint8Array<ArrayBuffer>>;
  touched: Volume<Uint8Array<ArrayBuffer>>;
}

const size = 416;
const fine = 832;
const perBin = 5;

/** A generator of its own: xorshift32, two numbers per value. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let i = 0; i < 20; i++) next();
  return () => ((next() >>> 6) * 2 ** 27 + (next() >>> 5)) / 2 ** 53;
}

function readFan(): { fan: FanGeometry; pixelMm: number } {
  const { sod, sdd, bins, binMm, angles, image } = JSON.parse(readFileSync(geometryFile, "utf8"));
  const viewStep = angles.span / angles.count;
  const fan = { sod, sdd, bins, binMm, views: angles.count, firstView: angles.start + viewStep / 2, viewStep };
  return { fan, pixelMm: image.pixelMm };
}

/** HU between pixel centres by straight lines, the slice stretched to fine × fine cells. */
function fineImage(hu: Float32Array, side: number): Float32Array {
  const image = new Float32Array(fine * fine);
  const places = Array.from({ length: fine }, (_, i) => {
    const at = Math.min(side - 1, Math.max(0, ((i + 0.5) * side) / fine - 0.5));
    const low = Math.min(side - 2, Math.floor(at));
    return { low, share: at - low };
  });
  for (const [r, y] of places.entries())
    for (const [c, x] of places.entries()) {
      const i = y.low * side + x.low;
      const above = hu[i]! * (1 - x.share) + hu[i + 1]! * x.share;
      const below = hu[i + side]! * (1 - x.share) + hu[i + side + 1]! * x.share;
      image[r * fine + c] = above * (1 - y.share) + below * y.share;
    }
  return image;
}

/** Means of 2 × 2 cells. */
function coarse(values: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: size * size }, (_, i) => {
    const at = 2 * Math.floor(i / size) * fine + 2 * (i % size);
    return (values[at]! + values[at + 1]! + values[at + fine]! + values[at + fine + 1]!) / 4;
  });
}

/** Metal in tissue, its parts apart from each other, near the first one. */
function placedMetal({ areaPixels, parts }: Scene, hu: Float32Array, pixelMm: number, random: () => number): Polygon[] {
  const placed: Polygon[] = [];
  let first = { x: 0, y: 0 };
  const isTissue = ({ x, y }: { x: number; y: number }) => {
    const [c, r] = [Math.floor(x / pixelMm + size / 2), Math.floor(size / 2 - y / pixelMm)];
    return r >= 0 && r < size && c >= 0 && c < size && hu[r * size + c]! > -300;
  };
  for (let part = 0; part < parts; part++) {
    for (let attempt = 0; attempt < 3000; attempt++) {
      const shape = outline((areaPixels / parts) * pixelMm ** 2, random);
      const spread = (placed.length > 0 ? 35 + attempt / 30 : 100) * pixelMm;
      const by = { x: first.x + (2 * random() - 1) * spread, y: first.y + (2 * random() - 1) * spread };
      const there = moved(shape, by);
      const around = shape.map(({ x, y }) => ({ x: by.x + 1.3 * x, y: by.y + 1.3 * y }));
      const filling = shape.map(({ x, y }) => ({ x: by.x + 0.5 * x, y: by.y + 0.5 * y }));
      const apart = placed.every((other) =>
        other.every((p) => there.every((q) => Math.hypot(p.x - q.x, p.y - q.y) > 2 * pixelMm)),
      );
      if (!apart || ![...around, ...filling, by].every(isTissue)) continue;
      if (placed.length === 0) first = by;
      placed.push(there);
      break;
    }
  }
  if (placed.length === 0) throw new Error("no place for metal in the slice");
  return placed;
}

/** Of the simulator: what it makes is kept for as long as nothing of it changes. */
export function simulatorHash(): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(import.meta.dirname).sort()) {
    if (!/\.(ts|json)$/.test(name)) continue;
    hash.update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest("hex").slice(0, 12);
}

interface PreparedScene extends Omit<Pair, "sinogram"> {
  /** The parts dealt out to so many metals in turn. */
  metalOf: (level: Case["level"], metals: number) => Paths;
}

/** Soft tissue up to 150 HU, from there more and more bone, pure bone from 1600 HU: line integrals per mm at the reference energy. */
function tissueMaps(hu: Float32Array, metal: Float32Array): Float32Array {
  const maps = new Float32Array(2 * hu.length);
  for (const [i, value] of hu.entries()) {
    if (value <= -980) continue;
    const mu = waterPerMm * (1 + value / 1000) * (1 - metal[i]!);
    const bone = Math.min(1, Math.max(0, (value - 150) / 1450));
    maps[2 * i] = mu * (1 - bone);
    maps[2 * i + 1] = mu * bone;
  }
  return maps;
}

async function prepare(scene: Scene): Promise<PreparedScene> {
  const { fan, pixelMm } = readFan();
  const { files } = scene.region;
  const file = files[Math.floor(scene.at * files.length)]!;
  const [slice] = await regionSlices({ ...scene.region, files: [file, ...files] }, 1);
  const hu = fineImage(slice!.hu, slice!.side);
  const half = coarse(hu);
  const polygons = placedMetal(scene, half, pixelMm, randomOf(scene.seed));
  const cover = coverage(polygons, fine, pixelMm / 2);
  const share = coarse(cover);
  const maps = tissueMaps(hu, cover);
  const image = (data: Uint8Array<ArrayBuffer>) => volume(data, [size, size]);
  return {
    truth: volume(
      half.map((value) => waterPerMm * (1 + value / 1000)),
      [size, size],
    ),
    mask: image(Uint8Array.from(share, (s) => (s >= 0.5 ? 1 : 0))),
    touched: image(Uint8Array.from(share, (s) => (s > 0.01 ? 1 : 0))),
    metalOf: (level, count) => {
      const { focalSpotMm, viewShare } = levels[level];
      const rays = new Rays(fan, { perBin, focalSpotMm, viewShare });
      const tissue = lineIntegrals(maps, fine, pixelMm / 2, rays);
      const metals = Array.from({ length: count }, (_, m) =>
        chords(
          polygons.filter((_, part) => part % count === m),
          rays,
        ),
      );
      return { views: fan.views, bins: fan.bins, perBin, tissue, metals };
    },
  };
}

/** Makes pairs; scenes and line integrals of the last one are kept, so that cases of one scene and level come one after another. */
export class PairMaker {
  readonly #folder: string;
  #scene: { key: string; scene: PreparedScene } | undefined;
  #paths: { key: string; paths: Paths } | undefined;

  constructor(cache = benchCache) {
    this.#folder = join(cache, `mismatch-${simulatorHash()}`);
  }

  async pair(item: Case): Promise<Pair> {
    const folder = join(this.#folder, item.name);
    if (!existsSync(join(folder, "manifest.json"))) await this.#make(item, folder);
    const read = async (name: string) => (await readNpy(join(folder, `${name}.npy`))).array as Volume;
    const bytes = async (name: string) => (await read(name)) as unknown as Pair["mask"];
    return {
      sinogram: await read("sinogram"),
      truth: await read("truth"),
      mask: await bytes("mask"),
      touched: await bytes("touched"),
    };
  }

  async #make(item: Case, folder: string): Promise<void> {
    const sceneKey = JSON.stringify(item.scene);
    if (this.#scene?.key !== sceneKey) this.#scene = { key: sceneKey, scene: await prepare(item.scene) };
    const { scene } = this.#scene;
    const names = item.second ? [item.metal, item.second] : [item.metal];
    const pathsKey = sceneKey + item.level + names.length;
    if (this.#paths?.key !== pathsKey) this.#paths = { key: pathsKey, paths: scene.metalOf(item.level, names.length) };
    const { paths } = this.#paths;
    const seed = createHash("sha256").update(item.name).digest().readUInt32LE(0);
    const random = randomOf(seed);
    const { densityError } = levels[item.level];
    const metals = names.map((name) => ({ name, density: densities[name] * (1 + densityError * (2 * random() - 1)) }));
    const { level, photons } = item;
    const data = scan(paths, { level, photons, metals, random });
    mkdirSync(folder, { recursive: true });
    await writeNpy(join(folder, "sinogram.npy"), volume(data, [paths.views, paths.bins]));
    for (const name of ["truth", "mask", "touched"] as const) await writeNpy(join(folder, `${name}.npy`), scene[name]);
    const { region, ...rest } = item.scene;
    const manifest = {
      ...item,
      scene: { ...rest, patient: region.patient },
      metals,
      seed,
      scanner: levels[item.level],
    };
    await writeFileAtomic(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  }
}
