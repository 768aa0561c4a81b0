/** What a training run is told, as JSON. docs/training.md is the manual. */
import { z } from "zod";
import { sinoError } from "../core/errors.ts";
import { sentenceOf } from "../networks/description.ts";
import { type NetworkDescription, parseNetwork } from "../networks/index.ts";
import type { AdversarialLoss } from "./step-graph.ts";

const positive = z.number().positive();
const whole = z.int().min(1);
const share = z.number().min(0).max(1);

const dataSchema = z.strictObject({
  /** Array file [n, …] or [n, C, …]: what the network sees; for diffusion the clean images. */
  input: z.string(),
  /** What it should make of it; default: the input itself. Unpaired: other images, so many as there are. Diffusion: what is drawn, given the input. */
  target: z.string().optional(),
  /** Share of the samples kept for validation, taken from the end, or an array file of other inputs; default 0.1. */
  validation: z.union([share, z.string()]).optional(),
  /** Array files of what is known of each sample, for networks with classes [n] or values [n, values]. */
  classes: z.string().optional(),
  values: z.string().optional(),
  /** Of each sample a sequence of vectors [n, length, context], for networks with a context. */
  context: z.string().optional(),
  /** Of how many samples it is withheld, so that the network learns to do without; default 0.1. */
  drop: share.optional(),
  /** Values become (value − offset) · factor, inside the model. */
  offset: z.number().optional(),
  factor: positive.optional(),
  /** Between which values samples lie; what a sampler takes for the image is clamped to it. Default [−1, 1] after scaling. */
  range: z.tuple([z.number(), z.number()]).optional(),
  /** Random crops of this size; default whole images. */
  patch: z.array(whole).optional(),
  /** Mirrors along each axis, at random; default false. */
  flip: z.boolean().optional(),
  /** Rows and columns exchanged, at random; with flip all eight symmetries of a square. Square crops of two axes. */
  turn: z.boolean().optional(),
  /** Turned by a random angle of up to so many degrees either way; images of two axes, mirrored beyond their edges. */
  rotate: z.number().min(0).max(180).optional(),
  /** Enlarged by a random number of this range, evenly spread in its logarithm. */
  zoom: z.tuple([positive, positive]).optional(),
  /** Targets are masks or labels, as those of segmentation always are: rotate and zoom take the nearest pixel instead of interpolating; default false. */
  masks: z.boolean().optional(),
  /** Deviation of normal noise added to the scaled input; default 0. */
  noise: z.number().min(0).optional(),
  /** Input and target times a random number of this range; masks of segmentation stay. */
  gain: z.tuple([positive, positive]).optional(),
  /** Deviation of a random number per sample added to scaled input and target; masks of segmentation stay. */
  shift: z.number().min(0).optional(),
});

const schema = z.strictObject({
  network: z.unknown(),
  task: z.enum(["regression", "diffusion", "segmentation", "noise2void", "unpaired"]).optional(),
  data: dataSchema,
  loss: z
    .strictObject({
      l1: z.number().min(0).optional(),
      l2: z.number().min(0).optional(),
      ssim: z.number().min(0).optional(),
      /** Of logits against masks: cross-entropy, soft Dice. */
      bce: z.number().min(0).optional(),
      dice: z.number().min(0).optional(),
      /** An ONNX file whose output of both is compared. */
      perceptual: z.strictObject({ model: z.string(), weight: positive }).optional(),
      /** Of the task unpaired: what comes back against what went, and what is made of images that look right. */
      cycle: positive.optional(),
      identity: z.number().min(0).optional(),
      /** With `detail` the critic sees so many times what images have beyond the input (unpaired: beyond their neighbourhood's mean), instead of images. */
      adversarial: z.strictObject({ network: z.unknown(), weight: positive, detail: positive.optional() }).optional(),
    })
    .optional(),
  optimizer: z
    .strictObject({
      kind: z.enum(["adam", "adamw"]).optional(),
      rate: positive.optional(),
      beta1: share.optional(),
      beta2: share.optional(),
      epsilon: positive.optional(),
      decay: z.number().min(0).optional(),
      clip: positive.optional(),
    })
    .optional(),
  /** A weights.safetensors of the same network to start from. */
  from: z.string().optional(),
  /** Folder of a trained network whose answers are the targets of training steps (distillation); validation keeps the real ones. */
  teacher: z.string().optional(),
  /** How much of the moving average stays at each step; default 0.999, 0 keeps none. */
  average: share.optional(),
  schedule: z
    .strictObject({
      kind: z.enum(["constant", "cosine", "cosine-restarts"]).optional(),
      /** Steps over which the rate rises from zero; default 0. */
      warmup: z.int().min(0).optional(),
      /** Steps of the first cycle; each next one is `growth` times as long. */
      cycle: whole.optional(),
      growth: z.number().min(1).optional(),
      /** Share of the rate at the end of a cycle; default 0. */
      floor: share.optional(),
    })
    .optional(),
  diffusion: z
    .strictObject({
      kind: z.enum(["linear", "scaled-linear", "cosine"]).optional(),
      steps: whole.optional(),
      prediction: z.enum(["epsilon", "sample", "v"]).optional(),
      /** Below 1: more noise at every step; 64 over the side of whole images. Default 1. */
      shift: positive.optional(),
      /** Min-SNR weighting with this γ; default none. */
      minSnr: positive.optional(),
      /** With data.target: what gets the noise is (target − input) · residual, after scaling; default the target itself. */
      residual: positive.optional(),
    })
    .optional(),
  steps: whole,
  batch: whole,
  seed: z.int().min(0).optional(),
  /** Steps between validations, each followed by a checkpoint; default 200. */
  validateEvery: whole.optional(),
  /** Ends after so many validations without a better one; default never. */
  patience: whole.optional(),
  threads: whole.optional(),
  /** "float16": convolutions and matrix products in half precision, weights and optimiser in float32; default float32. */
  precision: z.enum(["float32", "float16"]).optional(),
  /** What runs the steps; default the processors. One that is not there is refused. */
  provider: z.enum(["cpu", "cuda", "tensorrt", "webgpu", "dml", "coreml"]).optional(),
  /** Less memory for a third more time: a U-Net's blocks are computed again for the gradient. */
  frugal: z.boolean().optional(),
  /**
   * What conditions are called, for `sinogram sample`: a list names the classes, in their order; an object a column of the values, in
   * their order, which the network sees as (value − offset) · factor.
   */
  conditions: z
    .record(
      z.string(),
      z.union([
        z.array(z.string()).min(1),
        z.strictObject({
          offset: z.number().optional(),
          factor: positive.optional(),
          /** Between which numbers samples lie; others are refused. */
          range: z.tuple([z.number(), z.number()]).optional(),
        }),
      ]),
    )
    .optional(),
  /** For the model card. */
  name: z.string().optional(),
  licence: z.string().optional(),
});

type Checked = z.infer<typeof schema>;
type Loss = NonNullable<Checked["loss"]>;

export type TrainingConfig = Omit<Checked, "network" | "loss"> & {
  readonly network: NetworkDescription;
  readonly loss?:
    | (Omit<Loss, "adversarial"> & {
        readonly adversarial?: AdversarialLoss | undefined;
      })
    | undefined;
};

const maskLosses = ["bce", "dice"] as const;

/** The loss of a run that names none. */
export const defaultLoss = (task: TrainingConfig["task"]) =>
  task === "segmentation" ? { bce: 1, dice: 1 } : { l2: 1 };

/** Segmentation has masks and losses of its own. */
function checkSegmentation({ task, data, loss, network }: TrainingConfig, source: string): void {
  const isOne = task === "segmentation";
  const given = Object.entries(loss ?? {}).filter(([, weight]) => weight !== undefined);
  const wrong = given.find(([name]) => (maskLosses as readonly string[]).includes(name) !== isOne)?.[0];
  const refuse = (what: string) => sinoError("ERR_SINO_IO_FORMAT", `${source}: ${what}`);
  if (wrong && isOne) throw refuse(`the task segmentation expected the losses bce and dice but received ${wrong}.`);
  if (wrong) throw refuse(`the loss ${wrong} is of masks: it needs the task segmentation.`);
  if (!isOne) return;
  if (data.target === undefined)
    throw refuse("the task segmentation expected data.target, an array file of masks of 0 and 1.");
  const isFit = network.kind === "unet" ? !(network.time || network.residual) : network.kind === "n2n-unet";
  if (!isFit) throw refuse('the task segmentation expected an n2n-unet, or a unet without "time" and "residual".');
}

const cycleLosses: readonly string[] = ["cycle", "identity"];

/** What learning from images without pairs goes with. */
function checkUnpaired({ task, data, loss = {}, network }: TrainingConfig, source: string): void {
  const refuse = (what: string) => sinoError("ERR_SINO_IO_FORMAT", `${source}: ${what}`);
  const given = Object.entries(loss).flatMap(([name, weight]) => (weight === undefined ? [] : name));
  if (task !== "unpaired") {
    const own = given.find((name) => cycleLosses.includes(name));
    if (own) throw refuse(`the loss ${own} is of images without pairs: it needs the task unpaired.`);
    return;
  }
  if (data.target === undefined)
    throw refuse("the task unpaired expected data.target, an array file of images of the other look.");
  if (!loss.adversarial)
    throw refuse(
      'the task unpaired expected loss.adversarial, a critic: { "network": { "kind": "patchgan", … }, "weight": 1 }.',
    );
  const wrong = given.find((name) => name !== "adversarial" && !cycleLosses.includes(name));
  if (wrong) throw refuse(`the task unpaired has no pairs to compare: cycle and identity instead of ${wrong}.`);
  const spoilt = (["rotate", "zoom", "noise"] as const).find((field) => data[field] !== undefined);
  if (spoilt)
    throw refuse(`the task unpaired learns how images look: ${spoilt} would change that; leave out data.${spoilt}.`);
  const asked = (["classes", "values", "context"] as const).find((field) => data[field] !== undefined);
  if (asked) throw refuse(`the task unpaired expected a network of images alone: leave out data.${asked}.`);
  if (typeof data.validation === "string")
    throw refuse("the task unpaired keeps a share of both sets: give data.validation as a share.");
  const isUnet = network.kind === "unet";
  const isConditional = isUnet && (network.time || network.classes || network.values || network.context);
  const outs = "outChannels" in network ? (network.outChannels ?? network.inChannels) : network.inChannels;
  if (isConditional || outs !== network.inChannels || /srresnet|discriminator|patchgan/.test(network.kind))
    throw refuse(
      "the task unpaired expected a network that makes images of images, as many channels out as in, and takes nothing else.",
    );
}

/** Diffusion of targets that sees the input beside the noise: C. Saharia et al., "Image super-resolution via iterative refinement", 2021. */
export const isConditional = ({ task, data }: Pick<TrainingConfig, "task" | "data">): boolean =>
  task === "diffusion" && data.target !== undefined;

/** What diffusion goes with, alone and given an input. */
function checkDiffusion(config: TrainingConfig, source: string): void {
  const { task, network, diffusion } = config;
  const refuse = (what: string) => sinoError("ERR_SINO_IO_FORMAT", `${source}: ${what}`);
  if (diffusion?.residual !== undefined && !isConditional(config))
    throw refuse("diffusion.residual is of a target beside its input: it needs the task diffusion and data.target.");
  if (task !== "diffusion") return;
  if (!(network.kind === "unet" && network.time)) throw refuse('the task diffusion expected a unet with "time": true.');
  const { inChannels: ins, outChannels: outs } = network;
  const [fits, wanted] = !isConditional(config)
    ? [ins === outs, "without data.target expected as many channels in as out"]
    : diffusion?.residual === undefined
      ? [ins > outs, "with data.target expected more channels in than out, the noisy target and behind it the input,"]
      : [ins === 2 * outs, "with a residual expected twice as many channels in as out"];
  if (!fits) throw refuse(`the task diffusion ${wanted} but the network has ${ins} and ${outs}.`);
}

/** What a teacher and blind spots go with. */
function checkSelf({ task = "regression", data, loss, network, teacher }: TrainingConfig, source: string): void {
  const refuse = (what: string) => sinoError("ERR_SINO_IO_FORMAT", `${source}: ${what}`);
  if (teacher !== undefined && (task !== "regression" || network.kind === "srresnet"))
    throw refuse("a teacher expected the task regression and a network that keeps the size of images.");
  if (task !== "noise2void") return;
  const wrong = (["target", "rotate", "zoom", "noise"] as const).find((field) => data[field] !== undefined);
  if (wrong) throw refuse(`the task noise2void learns from noisy images as they are: leave out data.${wrong}.`);
  const odd = (["ssim", "perceptual", "adversarial"] as const).find((field) => loss?.[field]);
  if (odd) throw refuse(`the task noise2void looks at single pixels: l1 or l2 instead of ${odd}.`);
  if (network.kind === "srresnet")
    throw refuse("the task noise2void expected a network that keeps the size of images.");
}

/** Checks a training run's JSON. Throws ERR_SINO_IO_FORMAT, which names the field and the right one where it is misspelt. */
export function parseTraining(json: unknown, source = "training"): TrainingConfig {
  const checked = schema.safeParse(json);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    let at: unknown = schema;
    for (const key of issue.path) at = shapeOf(at)?.[key as string];
    throw sinoError("ERR_SINO_IO_FORMAT", sentenceOf(issue, Object.keys(shapeOf(at) ?? {}), source), {
      details: { path: issue.path },
    });
  }
  const { network, loss, ...rest } = checked.data;
  const critic = loss?.adversarial;
  const config: TrainingConfig = {
    ...rest,
    network: parseNetwork(network, `${source}.network`),
    ...(loss && {
      loss: {
        ...loss,
        adversarial: critic && {
          ...critic,
          network: parseNetwork(critic.network, `${source}.loss.adversarial.network`),
        },
      },
    }),
  };
  if (critic && config.patience !== undefined)
    throw sinoError(
      "ERR_SINO_IO_FORMAT",
      `${source}: patience waits for a smaller loss of validation, which says nothing of what a critic asks for: leave it out.`,
    );
  const isPlain =
    ["regression", "unpaired"].includes(config.task ?? "regression") && config.network.kind !== "srresnet";
  if (critic?.detail !== undefined && !isPlain)
    throw sinoError(
      "ERR_SINO_IO_FORMAT",
      `${source}: loss.adversarial.detail expected the task regression or unpaired and a network that keeps the size of images.`,
    );
  checkUnpaired(config, source);
  checkDiffusion(config, source);
  checkSegmentation(config, source);
  checkSelf(config, source);
  return config;
}

type Wrapped = { shape?: Record<string, unknown>; unwrap?: () => unknown };

const shapeOf = (node: unknown): Record<string, unknown> | undefined => {
  const { shape, unwrap } = (node ?? {}) as Wrapped;
  return shape ?? (unwrap ? shapeOf((node as Required<Wrapped>).unwrap()) : undefined);
};
