/**
 * Channels taken out of a trained network: of each layer those whose filters have the smallest L1 norm (H. Li et al., "Pruning filters for
 * efficient ConvNets", ICLR 2017). Layers between which values are added share their channels; a U-Net loses them inside its residual blocks.
 */
import { sinoError } from "../core/errors.ts";
import type { NetworkDescription } from "./description.ts";
import { summarize, type Weights } from "./network.ts";

/** An axis of a parameter. */
type Side = readonly [parameter: string, axis: 0 | 1];

/** Channels that go together. */
interface Group {
  /** In the description's `widths`. */
  readonly name: string;
  readonly madeBy: readonly Side[];
  readonly usedBy: readonly Side[];
}

const group = (name: string, madeBy: readonly Side[], usedBy: readonly Side[]): Group => ({ name, madeBy, usedBy });

/** A convolution's filters [out, in, …]; a transposed one's are [in, out, …]. */
const out = (layer: string): readonly Side[] => [
  [`${layer}.weight`, 0],
  [`${layer}.bias`, 0],
];
const outOfUp = (layer: string): readonly Side[] => [
  [`${layer}.weight`, 1],
  [`${layer}.bias`, 0],
];
const into = (layer: string): Side => [`${layer}.weight`, 1];
const intoUp = (layer: string): Side => [`${layer}.weight`, 0];
const normed = (layer: string): readonly Side[] =>
  ["weight", "bias", "running_mean", "running_var"].map((part) => [`${layer}.${part}`, 0] as const);

/** Throws ERR_SINO_UNSUPPORTED. */
function groupsOf(d: NetworkDescription, names: ReadonlySet<string>): Group[] {
  if (d.kind === "dncnn") {
    const layers = ["first", ...Array.from({ length: (d.depth ?? 17) - 2 }, (_, i) => String(i))];
    const conv = (layer: string) => (layer === "first" ? layer : `${layer}.conv`);
    return layers.map((layer, i) => {
      const next = layers[i + 1];
      return group(layer, [...out(conv(layer)), ...normed(`${layer}.norm`)], [into(next ? conv(next) : "last")]);
    });
  }
  if (d.kind === "redcnn")
    return [
      group("conv1", out("conv1"), [into("conv2")]),
      group("conv2", [...out("conv2"), ...outOfUp("tconv3")], [into("conv3"), intoUp("tconv4")]),
      group("conv3", out("conv3"), [into("conv4")]),
      group("conv4", [...out("conv4"), ...outOfUp("tconv1")], [into("conv5"), intoUp("tconv2")]),
      group("conv5", out("conv5"), [intoUp("tconv1")]),
      group("tconv2", outOfUp("tconv2"), [intoUp("tconv3")]),
      group("tconv4", outOfUp("tconv4"), [intoUp("tconv5")]),
    ];
  if (d.kind === "unet" && d.block !== "double" && !(d.time || d.classes || d.values))
    return [...names].flatMap((name) => {
      const block = /^(.*)\.conv1\.weight$/.exec(name)?.[1];
      return block
        ? [group(block, [...out(`${block}.conv1`), ...normed(`${block}.norm2`)], [into(`${block}.conv2`)])]
        : [];
    });
  throw sinoError(
    "ERR_SINO_UNSUPPORTED",
    `Expected a dncnn, a redcnn, or a unet of residual blocks without conditions to prune but received ${d.kind}.`,
  );
}

export interface Pruned {
  readonly network: NetworkDescription;
  readonly weights: Weights;
}

/**
 * Takes the share `share` (above 0, below 1) of every layer's channels away, but never the last one. What is left computes what the whole
 * network would with those channels at zero, where it has no group norm. Throws ERR_SINO_OUT_OF_RANGE, ERR_SINO_UNSUPPORTED (the network),
 * ERR_SINO_MODEL (weights of another one).
 */
export function pruneNetwork(d: NetworkDescription, weights: Weights, share: number): Pruned {
  if (!(share > 0 && share < 1))
    throw sinoError("ERR_SINO_OUT_OF_RANGE", `Expected a share above 0 and below 1 but received ${share}.`);
  const { parameterSpecs, bufferSpecs } = summarize(d, { batch: 1, size: sizeFor(d) });
  const tensors = new Map(
    [...parameterSpecs, ...bufferSpecs].map(({ name, shape }) => [name, { shape, data: given(name) }]),
  );
  function given(name: string): Float32Array {
    const data = weights.get(name);
    if (!data)
      throw sinoError("ERR_SINO_MODEL", `The weights hold nothing for ${name}: they belong to another network.`);
    return data;
  }
  const widths: Record<string, number> = {};
  for (const { name, madeBy, usedBy } of groupsOf(d, new Set(tensors.keys()))) {
    const makers = madeBy.filter(([parameter]) => tensors.has(parameter));
    const [first, axis] = makers[0]!;
    const sums = new Float64Array(tensors.get(first)!.shape[axis]!);
    for (const [parameter, along] of makers)
      if (tensors.get(parameter)!.shape.length > 1) addNorms(tensors.get(parameter)!, along, sums);
    const count = Math.max(1, Math.round((1 - share) * sums.length));
    const kept = [...sums.keys()]
      .sort((a, b) => sums[b]! - sums[a]! || a - b)
      .slice(0, count)
      .sort((a, b) => a - b);
    for (const [parameter, along] of [...makers, ...usedBy])
      tensors.set(parameter, taken(tensors.get(parameter)!, along, kept));
    widths[name] = count;
  }
  return {
    network: { ...d, widths } as NetworkDescription,
    weights: new Map([...tensors].map(([name, { data }]) => [name, data])),
  };
}

interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Any size that the network halves as often as it must. */
const sizeFor = (d: NetworkDescription): number[] =>
  Array.from({ length: d.kind === "unet" ? (d.dimensions ?? 2) : 2 }, () =>
    d.kind === "unet" ? (d.unshuffle ?? 1) * 2 ** d.channels.length : 64,
  );

/** How many elements a step along an axis is, and along which there are how many. */
function strides({ shape }: Values, axis: number): { inner: number; length: number; outer: number } {
  const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  return { inner: product(shape.slice(axis + 1)), length: shape[axis]!, outer: product(shape.slice(0, axis)) };
}

function addNorms(values: Values, axis: number, sums: Float64Array): void {
  const { inner, length, outer } = strides(values, axis);
  for (let o = 0; o < outer; o++)
    for (let k = 0; k < length; k++) {
      const from = (o * length + k) * inner;
      for (const v of values.data.subarray(from, from + inner)) sums[k]! += Math.abs(v);
    }
}

function taken(values: Values, axis: number, kept: readonly number[]): Values {
  const { inner, length, outer } = strides(values, axis);
  const data = new Float32Array(outer * kept.length * inner);
  for (let o = 0; o < outer; o++)
    kept.forEach((k, i) => {
      const from = (o * length + k) * inner;
      data.set(values.data.subarray(from, from + inner), (o * kept.length + i) * inner);
    });
  return { shape: values.shape.with(axis, kept.length), data };
}
