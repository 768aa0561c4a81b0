/**
 * Two looks without pairs: one network makes B of A ("a2b"), a second one of the same description A of B ("b2a"); critics tell what they make
 * from real images, and each has to undo the other. J.-Y. Zhu, T. Park, P. Isola, A. Efros, "Unpaired image-to-image translation using
 * cycle-consistent adversarial networks", ICCV 2017; without its buffer of earlier images.
 */
import { add, conv, mul, reduceMean, slice, sub, sum, type Tensor, tanh } from "../graph/index.ts";
import { addNetwork, type NetworkDescription, type ParameterSpec, Scope, type Source } from "../networks/index.ts";
import { l1 } from "./losses.ts";

export const ways = ["a2b", "b2a"] as const;

/** Weights of the terms beside what the critics say. */
export interface CycleLoss {
  /** Mean absolute difference of an image and what comes back. */
  readonly cycle?: number | undefined;
  /** Of an image that already looks as it should, and what is made of it. */
  readonly identity?: number | undefined;
}

/** The parameters of both networks, one after the other. */
export const ofBoth = (specs: readonly ParameterSpec[]): ParameterSpec[] =>
  ways.flatMap((way) => specs.map((spec) => ({ ...spec, name: `${way}.${spec.name}` })));

/** What a critic looks at: images that were made and real ones. */
export interface Judged {
  readonly name: string;
  readonly fake: Tensor;
  readonly real: Tensor;
}

const window = 5;

/** What images have beyond the mean of 5 × 5 pixels, so many times, bent by tanh; where the window lies inside. */
function detailOf(x: Tensor, times: number): Tensor {
  const [c, ...size] = x.shape.slice(1) as [number, ...number[]];
  const kernel = size.map(() => window);
  const pixels = window ** size.length;
  const box = x.graph.constant(new Float32Array(c * pixels).fill(1 / pixels), [c, 1, ...kernel]);
  const edge = window >> 1;
  const inside = size.reduce((t, n, i) => slice(t, i + 2, edge, n - edge), x);
  return tanh(mul(sub(inside, conv(x, box, { groups: c })), times));
}

/** Adds both networks to a graph; the loss of cycles and identity, and what the two critics are to look at. */
export function addCycles(
  source: Source,
  network: NetworkDescription,
  { a, b, weight }: { readonly a: Tensor; readonly b: Tensor; readonly weight: Tensor },
  {
    cycle = 10,
    identity = 5,
    adversarial,
  }: CycleLoss & { readonly adversarial?: { readonly detail?: number | undefined } | undefined },
): { loss: Tensor; judged: readonly Judged[] } {
  const [toB, toA] = ways.map((way) => (x: Tensor) => addNetwork(new Scope(source).in(way), { x }, network)) as [
    (x: Tensor) => Tensor,
    (x: Tensor) => Tensor,
  ];
  const [fakeB, fakeA] = [toB(a), toA(b)];
  const terms = [mul(add(l1(toA(fakeB), a), l1(toB(fakeA), b)), cycle)];
  if (identity > 0) terms.push(mul(add(l1(toB(b), b), l1(toA(a), a)), identity));
  const shown = (x: Tensor) => (adversarial?.detail ? detailOf(x, adversarial.detail) : x);
  return {
    loss: reduceMean(mul(sum(...terms), weight), [0]),
    judged: [
      { name: "a", fake: shown(fakeA), real: shown(a) },
      { name: "b", fake: shown(fakeB), real: shown(b) },
    ],
  };
}
