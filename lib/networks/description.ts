/** Networks as JSON: what may stand there, and what it means. */
import { z } from "zod";
import { nearest } from "../batch/nearest.ts";
import { sinoError } from "../core/errors.ts";
import type { ElementType, Tensor } from "../graph/index.ts";
import {
  type DiscriminatorDescription,
  discriminator,
  type PatchGanDescription,
  patchgan,
  type SrDescription,
  srresnet,
} from "./adversarial.ts";
import {
  type DnCnnDescription,
  dncnn,
  type N2nDescription,
  n2nUnet,
  type RedCnnDescription,
  redcnn,
} from "./restore.ts";
import type { Scope } from "./scope.ts";
import { type NetworkInputs, type UNetDescription, unet } from "./unet.ts";

export type NetworkDescription =
  | UNetDescription
  | DnCnnDescription
  | RedCnnDescription
  | N2nDescription
  | SrDescription
  | DiscriminatorDescription
  | PatchGanDescription;

const whole = z.int().min(1);
const widths = z.record(z.string(), whole).optional();
const norm = z.enum(["group", "batch", "none"]).optional();

const schemas = {
  unet: z.strictObject({
    kind: z.literal("unet"),
    dimensions: z.union([z.literal(2), z.literal(3)]).optional(),
    inChannels: whole,
    outChannels: whole,
    channels: z.array(whole).min(1),
    blocks: whole.optional(),
    block: z.enum(["residual", "double"]).optional(),
    norm,
    activation: z.enum(["relu", "leaky-relu", "silu", "gelu"]).optional(),
    attention: z.array(z.int().min(0)).optional(),
    heads: whole.optional(),
    time: z.boolean().optional(),
    classes: whole.optional(),
    values: whole.optional(),
    context: whole.optional(),
    unshuffle: whole.optional(),
    residual: z.boolean().optional(),
    widths,
  }),
  dncnn: z.strictObject({
    kind: z.literal("dncnn"),
    inChannels: whole,
    depth: z.int().min(3).optional(),
    channels: whole.optional(),
    norm,
    widths,
  }),
  redcnn: z.strictObject({
    kind: z.literal("redcnn"),
    inChannels: whole,
    channels: whole.optional(),
    kernel: whole.optional(),
    widths,
  }),
  "n2n-unet": z.strictObject({
    kind: z.literal("n2n-unet"),
    inChannels: whole,
    outChannels: whole.optional(),
    channels: whole.optional(),
    levels: whole.optional(),
  }),
  srresnet: z.strictObject({
    kind: z.literal("srresnet"),
    inChannels: whole,
    blocks: whole.optional(),
    channels: whole.optional(),
    factor: z.union([z.literal(2), z.literal(4), z.literal(8)]).optional(),
    norm,
  }),
  discriminator: z.strictObject({
    kind: z.literal("discriminator"),
    inChannels: whole,
    channels: whole.optional(),
    norm,
  }),
  patchgan: z.strictObject({
    kind: z.literal("patchgan"),
    inChannels: whole,
    channels: whole.optional(),
    layers: whole.optional(),
    norm,
  }),
} as const;

export const networkKinds = Object.keys(schemas) as NetworkDescription["kind"][];

/** Checks a network's JSON. Throws ERR_SINO_IO_FORMAT, which names the field and the right one where it is misspelt. */
export function parseNetwork(json: unknown, source = "network"): NetworkDescription {
  const kind = (json as { kind?: unknown } | null)?.kind;
  const schema = typeof kind === "string" ? schemas[kind as NetworkDescription["kind"]] : undefined;
  if (!schema) {
    const near = typeof kind === "string" ? nearest(kind, networkKinds) : undefined;
    throw sinoError(
      "ERR_SINO_IO_FORMAT",
      `${source} expected a kind of ${networkKinds.join(", ")} but received ${JSON.stringify(kind)}.${near ? ` Did you mean ${near}?` : ""}`,
    );
  }
  const checked = schema.safeParse(json);
  if (checked.success) return checked.data as NetworkDescription;
  throw sinoError("ERR_SINO_IO_FORMAT", sentenceOf(checked.error.issues[0]!, Object.keys(schema.shape), source), {
    details: { path: checked.error.issues[0]!.path },
  });
}

/** zod's sentence, with the nearest known name where a field is misspelt. */
export function sentenceOf(issue: z.core.$ZodIssue, known: readonly string[], source: string): string {
  const where = issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
  const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const near = unknown && nearest(unknown, known);
  return `${source}${where}: ${issue.message}.${near ? ` Did you mean ${near}?` : ""}`;
}

/** What a network takes, by name, for a batch of images of one size. */
export interface InputSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
}

export interface NetworkSize {
  readonly batch: number;
  /** Pixels of the images, slowest axis first. */
  readonly size: readonly number[];
  /** Vectors of a context sequence; default 1. */
  readonly contextLength?: number | undefined;
}

export function inputsOf(d: NetworkDescription, { batch, size, contextLength = 1 }: NetworkSize): InputSpec[] {
  const list: InputSpec[] = [{ name: "x", shape: [batch, d.inChannels, ...size], type: "float32" }];
  if (d.kind !== "unet") return list;
  if (size.length !== (d.dimensions ?? 2))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `A U-Net of ${d.dimensions ?? 2} dimensions expected as many sizes but received [${size.join(", ")}].`,
    );
  if (d.time) list.push({ name: "t", shape: [batch], type: "float32" });
  if (d.classes) list.push({ name: "class", shape: [batch], type: "int64" });
  if (d.values) list.push({ name: "values", shape: [batch, d.values], type: "float32" });
  if (d.context) list.push({ name: "context", shape: [batch, contextLength, d.context], type: "float32" });
  return list;
}

/** Adds the network to the graph of its inputs. Throws ERR_SINO_SHAPE where sizes do not halve as often as it does. */
export function addNetwork(scope: Scope, inputs: NetworkInputs, d: NetworkDescription): Tensor {
  switch (d.kind) {
    case "unet":
      return unet(scope, inputs, d);
    case "dncnn":
      return dncnn(scope, inputs, d);
    case "redcnn":
      return redcnn(scope, inputs, d);
    case "n2n-unet":
      return n2nUnet(scope, inputs, d);
    case "srresnet":
      return srresnet(scope, inputs, d);
    case "discriminator":
      return discriminator(scope, inputs, d);
    case "patchgan":
      return patchgan(scope, inputs, d);
  }
}
