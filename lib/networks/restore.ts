/** Networks that clean images: DnCNN, RED-CNN and the U-Net of Noise2Noise. */
import * as g from "../graph/index.ts";
import { convLayer, type NormKind, normLayer } from "./layers.ts";
import type { Scope } from "./scope.ts";
import type { NetworkInputs, Widths } from "./unet.ts";

/** Zhang et al. 2017 (IEEE TIP 26): conv, (conv, norm, ReLU) …, conv; predicts the noise, which is taken away. */
export interface DnCnnDescription {
  readonly kind: "dncnn";
  readonly inChannels: number;
  /** Layers; default 17. */
  readonly depth?: number | undefined;
  /** Default 64. */
  readonly channels?: number | undefined;
  readonly norm?: NormKind | undefined;
  /** Of single layers, by their names, where they have fewer channels (prune.ts). */
  readonly widths?: Widths | undefined;
}

export function dncnn(scope: Scope, { x }: NetworkInputs, d: DnCnnDescription): g.Tensor {
  const { depth = 17, channels = 64, norm = "batch" } = d;
  const widthOf = (layer: string | number) => d.widths?.[layer] ?? channels;
  let h = g.relu(convLayer(scope.in("first"), x!, widthOf("first")));
  for (let i = 0; i < depth - 2; i++) {
    const s = scope.in(i);
    h = g.relu(
      normLayer(s.in("norm"), convLayer(s.in("conv"), h, widthOf(i), { bias: norm === "none" }), { kind: norm }),
    );
  }
  return g.sub(x!, convLayer(scope.in("last"), h, d.inChannels, { gain: 0.1 }));
}

/** Chen et al. 2017 (IEEE TMI 36): five convolutions without padding, five transposed ones, skips between, input added. */
export interface RedCnnDescription {
  readonly kind: "redcnn";
  readonly inChannels: number;
  /** Default 96. */
  readonly channels?: number | undefined;
  /** Default 5. */
  readonly kernel?: number | undefined;
  /** Of single layers, by their names, where they have fewer channels (prune.ts). */
  readonly widths?: Widths | undefined;
}

export function redcnn(scope: Scope, { x }: NetworkInputs, d: RedCnnDescription): g.Tensor {
  const { channels = 96, kernel = 5 } = d;
  const widthOf = (layer: string) => d.widths?.[layer] ?? channels;
  const down = (i: number, t: g.Tensor) =>
    convLayer(scope.in(`conv${i}`), t, widthOf(`conv${i}`), { kernel, padding: 0 });
  const up = (i: number, t: g.Tensor, width = widthOf(`tconv${i}`)) => {
    const s = scope.in(`tconv${i}`);
    const window = t.shape.slice(2).map(() => kernel);
    const inputs = t.shape[1]! * kernel ** window.length;
    const weight = s.parameter("weight", [t.shape[1]!, width, ...window], Math.sqrt(1 / inputs));
    return g.convTranspose(t, weight, { bias: s.parameter("bias", [width], 0) });
  };
  const one = g.relu(down(1, x!));
  const two = g.relu(down(2, one));
  const three = g.relu(down(3, two));
  const four = g.relu(down(4, three));
  const five = g.relu(down(5, four));
  const six = g.relu(g.add(up(1, five, four.shape[1]!), four));
  const seven = g.relu(up(2, six));
  const eight = g.relu(g.add(up(3, seven, two.shape[1]!), two));
  const nine = g.relu(up(4, eight));
  return g.relu(g.add(up(5, nine, d.inChannels), x!));
}

/**
 * The U-Net of Noise2Noise (Lehtinen et al. 2018, ICML, appendix): leaky ReLU, max-pooling, nearest upsampling, the input
 * itself among the skips. `levels` poolings; the sizes must be multiples of 2^levels.
 */
export interface N2nDescription {
  readonly kind: "n2n-unet";
  readonly inChannels: number;
  readonly outChannels?: number | undefined;
  /** Of the encoder, the decoder has twice as many; default 48. */
  readonly channels?: number | undefined;
  /** Default 5; 3 for 72 × 72. */
  readonly levels?: number | undefined;
}

export function n2nUnet(scope: Scope, { x }: NetworkInputs, d: N2nDescription): g.Tensor {
  const { channels = 48, levels = 5, outChannels = d.inChannels } = d;
  const layer = (name: string, t: g.Tensor, width: number) => g.leakyRelu(convLayer(scope.in(name), t, width), 0.1);
  const skips = [x!];
  let h = layer("enc_conv0", x!, channels);
  for (let level = 1; level <= levels; level++) {
    h = g.maxPool(layer(`enc_conv${level}`, h, channels), 2);
    if (level < levels) skips.push(h);
  }
  h = layer(`enc_conv${levels + 1}`, h, channels);
  for (let level = levels; level >= 1; level--) {
    h = g.concat([g.upsample(h), skips.pop()!], 1);
    const [a, b] = level === 1 ? [64, 32] : [2 * channels, 2 * channels];
    h = layer(`dec_conv${level}b`, layer(`dec_conv${level}a`, h, a), b);
  }
  return convLayer(scope.in("last"), h, outChannels, { gain: 0.5 });
}
