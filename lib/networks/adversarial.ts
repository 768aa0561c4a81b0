/** Super-resolution by SRGAN (Ledig et al. 2017, CVPR) and the discriminators: SRGAN's and PatchGAN (Isola et al. 2017, CVPR). */
import * as g from "../graph/index.ts";
import { convLayer, linearLayer, type NormKind, normLayer } from "./layers.ts";
import type { Scope } from "./scope.ts";
import type { NetworkInputs } from "./unet.ts";

export interface SrDescription {
  readonly kind: "srresnet";
  readonly inChannels: number;
  /** Residual blocks; default 16. */
  readonly blocks?: number | undefined;
  /** Default 64. */
  readonly channels?: number | undefined;
  /** How much larger: 2 (default), 4 or 8. */
  readonly factor?: number | undefined;
  readonly norm?: NormKind | undefined;
}

export function srresnet(scope: Scope, { x }: NetworkInputs, d: SrDescription): g.Tensor {
  const { blocks = 16, channels = 64, factor = 2, norm = "batch" } = d;
  const prelu = (s: Scope, t: g.Tensor) =>
    g.prelu(t, s.parameter("weight", [t.shape[1]!, ...t.shape.slice(2).map(() => 1)], 0, 0.25));
  const first = prelu(scope.in("act1"), convLayer(scope.in("conv1"), x!, channels, { kernel: 9 }));
  let h = first;
  for (let i = 0; i < blocks; i++) {
    const s = scope.in("blocks").in(i);
    const one = prelu(s.in("act"), normLayer(s.in("norm1"), convLayer(s.in("conv1"), h, channels), { kind: norm }));
    h = g.add(h, normLayer(s.in("norm2"), convLayer(s.in("conv2"), one, channels, { gain: 0.5 }), { kind: norm }));
  }
  h = g.add(first, normLayer(scope.in("norm2"), convLayer(scope.in("conv2"), h, channels), { kind: norm }));
  const rank = x!.shape.length - 2;
  for (let i = 0; i < Math.log2(factor); i++) {
    const s = scope.in("up").in(i);
    h = prelu(s.in("act"), g.pixelShuffle(convLayer(s.in("conv"), h, channels * 2 ** rank), 2));
  }
  return convLayer(scope.in("last"), h, d.inChannels, { kernel: 9 });
}

/** One logit per image: strided convolutions, then the mean over pixels through two linear layers. */
export interface DiscriminatorDescription {
  readonly kind: "discriminator";
  readonly inChannels: number;
  /** Default 64. */
  readonly channels?: number | undefined;
  readonly norm?: NormKind | undefined;
}

export function discriminator(scope: Scope, { x }: NetworkInputs, d: DiscriminatorDescription): g.Tensor {
  const { channels = 64, norm = "batch" } = d;
  let h = g.leakyRelu(convLayer(scope.in("conv0"), x!, channels), 0.2);
  [1, 2, 2, 4, 4, 8, 8].forEach((factor, i) => {
    const s = scope.in(`conv${i + 1}`);
    const y = convLayer(s, h, channels * factor, { stride: i % 2 === 0 ? 2 : 1, bias: norm === "none" });
    h = g.leakyRelu(normLayer(s.in("norm"), y, { kind: norm }), 0.2);
  });
  const pooled = g.reduceMean(h, [...h.shape.keys()].slice(2));
  return linearLayer(scope.in("fc2"), g.leakyRelu(linearLayer(scope.in("fc1"), pooled, 16 * channels), 0.2), 1);
}

/** One logit per patch. */
export interface PatchGanDescription {
  readonly kind: "patchgan";
  readonly inChannels: number;
  /** Default 64. */
  readonly channels?: number | undefined;
  /** Strided layers; default 3: patches of 70 × 70. */
  readonly layers?: number | undefined;
  readonly norm?: NormKind | undefined;
}

export function patchgan(scope: Scope, { x }: NetworkInputs, d: PatchGanDescription): g.Tensor {
  const { channels = 64, layers = 3, norm = "batch" } = d;
  const layer = (i: number, t: g.Tensor, width: number, stride: number) => {
    const s = scope.in(`conv${i}`);
    const y = convLayer(s, t, width, { kernel: 4, stride, padding: 1, bias: i === 0 || norm === "none" });
    return g.leakyRelu(i === 0 ? y : normLayer(s.in("norm"), y, { kind: norm }), 0.2);
  };
  let h = layer(0, x!, channels, 2);
  for (let i = 1; i < layers; i++) h = layer(i, h, channels * Math.min(2 ** i, 8), 2);
  h = layer(layers, h, channels * Math.min(2 ** layers, 8), 1);
  return convLayer(scope.in("last"), h, 1, { kernel: 4, padding: 1 });
}
