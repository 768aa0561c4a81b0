/**
 * Makes a graph of an ONNX file, so that it can be run within another, have gradients, be changed and be written again.
 * Shapes are static here: where the file leaves a length open, the tensors it is given decide. What the file computes with
 * shapes (Shape, Gather, Concat … of integers, as exporters write them) is worked out while reading.
 */
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { Graph } from "./graph.ts";
import { type FileModel, type FileNode, type FileTensor, readModel } from "./onnx-read.ts";
import { operationOf } from "./operation.ts";
import { silu } from "./ops/activations.ts";
import { clip, identity, max, min, onnxTypes } from "./ops/elementwise.ts";
import { reshape, split, transpose } from "./ops/layout.ts";
import { foldedBatchNorm, groupNorm, instanceNorm, layerNorm } from "./ops/norm.ts";
import { reduceMean } from "./ops/reduce.ts";
import { pixelShuffle, pixelUnshuffle, resizeLinear, upsample } from "./ops/resize.ts";
import { type Attributes, type ConstantData, type Tensor, words } from "./tensor.ts";

const oldest = 11;

/**
 * Adds a model's nodes to a graph. `given` are its inputs by name; the result are its outputs by name. Throws
 * ERR_SINO_IO_FORMAT, ERR_SINO_UNSUPPORTED (operations, attributes, opsets below 11), ERR_SINO_SHAPE.
 */
export function importOnnx(
  graph: Graph,
  bytes: Uint8Array,
  given: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  return new Importer(graph, readModel(bytes), given).outputs();
}

/**
 * Reads a model as a graph of its own. Lengths that the file leaves open are taken from `dims`, by the file's name for
 * them, or are 1.
 */
export function readOnnx(bytes: Uint8Array, dims: Readonly<Record<string, number>> = {}): Graph {
  const model = readModel(bytes);
  const graph = new Graph(model.name || "graph");
  const given: Record<string, Tensor> = {};
  for (const { name, type, shape } of model.inputs)
    given[name] = graph.input(
      name,
      shape.map((n) => (typeof n === "number" ? n : (dims[n] ?? 1))),
      type,
    );
  for (const [name, t] of Object.entries(new Importer(graph, model, given).outputs())) graph.output(name, t);
  return graph;
}

/** Name and lengths of a model's first input; a name stands for a length that is open. */
export function modelInput(bytes: Uint8Array): { name: string; shape: readonly (number | string)[] } {
  const [input] = readModel(bytes).inputs;
  if (!input) throw sinoError("ERR_SINO_IO_FORMAT", "Expected a model with an input but it has none.");
  return input;
}

class Importer {
  readonly #graph: Graph;
  readonly #model: FileModel;
  readonly #tensors = new Map<string, Tensor>();
  /** Integers that are known: of the file, or worked out from shapes. */
  readonly #integers = new Map<string, readonly number[]>();
  readonly #constants = new Map<string, FileTensor>();

  constructor(graph: Graph, model: FileModel, given: Readonly<Record<string, Tensor>>) {
    this.#graph = graph;
    this.#model = model;
    if (model.opset < oldest)
      throw sinoError(
        "ERR_SINO_UNSUPPORTED",
        `The model expects ONNX's operators of version ${model.opset}; those from ${oldest} on can be read.`,
      );
    for (const t of model.tensors.values()) this.#keep(t.name, t);
    for (const { name, shape } of model.inputs) {
      const t = given[name];
      if (!t)
        throw sinoError("ERR_SINO_ARG_TYPE", `Expected a tensor for the model's input ${name} but received none.`);
      if (t.shape.length !== shape.length || shape.some((n, i) => typeof n === "number" && n !== t.shape[i]))
        throw sinoError(
          "ERR_SINO_SHAPE",
          `The model's input ${name} expected [${shape.join(", ")}] but received ${words(t.shape)}.`,
        );
      this.#tensors.set(name, t);
    }
  }

  outputs(): Record<string, Tensor> {
    for (const node of this.#model.nodes) this.#node(node);
    const result: Record<string, Tensor> = {};
    for (const { name } of this.#model.outputs) result[name] = this.#tensor(name);
    return result;
  }

  #keep(name: string, t: FileTensor): void {
    this.#constants.set(name, t);
    if (t.type === "int64" || t.type === "int32") this.#integers.set(name, [...t.data].map(Number));
  }

  #tensor(name: string): Tensor {
    const known = this.#tensors.get(name);
    if (known) return known;
    const constant = this.#constants.get(name);
    const list = this.#integers.get(name);
    if (!constant && !list) throw sinoError("ERR_SINO_IO_FORMAT", `The model uses ${name} before anything makes it.`);
    const t = constant
      ? this.#graph.constant(constant.data, constant.shape)
      : this.#graph.constant(BigInt64Array.from(list!, BigInt) as ConstantData, [list!.length]);
    this.#tensors.set(name, t);
    return t;
  }

  #node(node: FileNode): void {
    if (this.#constant(node) || this.#shapes(node)) return;
    const inputs = () => node.inputs.map((name) => (name === "" ? undefined : this.#tensor(name)));
    const special = this.#special(node);
    const outputs = special ?? this.#graph.add(node.type, ...this.#plain(node, inputs));
    node.outputs.forEach((name, i) => {
      if (name !== "" && outputs[i]) this.#tensors.set(name, outputs[i]);
    });
  }

  #constant({ type, attributes, outputs }: FileNode): boolean {
    if (type !== "Constant") return false;
    const { value, value_float: float, value_int: int, value_ints: ints } = attributes;
    const name = outputs[0]!;
    if (value) this.#keep(name, value as FileTensor);
    else if (typeof float === "number")
      this.#keep(name, { name, type: "float32", shape: [], data: Float32Array.of(float) });
    else if (typeof int === "number") this.#integers.set(name, [int]);
    else if (Array.isArray(ints)) this.#integers.set(name, ints);
    else throw sinoError("ERR_SINO_UNSUPPORTED", `The constant ${name} is of a kind that cannot be read.`);
    return true;
  }

  /** Integers made of integers: exporters compute shapes with them. */
  #shapes(node: FileNode): boolean {
    const { type, attributes, inputs, outputs } = node;
    const put = (list: readonly number[]) => {
      this.#integers.set(outputs[0]!, list);
      return true;
    };
    if (type === "Shape") {
      const { shape } = this.#tensor(inputs[0]!);
      return put(shape.slice((attributes["start"] as number) ?? 0, (attributes["end"] as number) ?? shape.length));
    }
    const lists = inputs.map((name) => this.#integers.get(name));
    const [a, b, c] = lists;
    if (!a || this.#tensors.has(inputs[0]!)) return false;
    const each = (f: (x: number, y: number) => number) =>
      b
        ? put(Array.from({ length: Math.max(a.length, b.length) }, (_, i) => f(a[i % a.length]!, b[i % b.length]!)))
        : false;
    switch (type) {
      case "Unsqueeze":
      case "Squeeze":
      case "Identity":
        return put(a);
      case "Cast": {
        if (attributes["to"] !== onnxTypes.float32) return put(a);
        const name = outputs[0]!;
        this.#keep(name, {
          name,
          type: "float32",
          shape: a.length === 1 ? [] : [a.length],
          data: Float32Array.from(a),
        });
        return true;
      }
      case "Gather":
        return b ? put(b.map((i) => a[i < 0 ? i + a.length : i]!)) : false;
      case "Concat":
        return lists.every((l) => l) ? put(lists.flatMap((l) => l!)) : false;
      case "Slice":
        return b && c && (lists[4]?.[0] ?? 1) === 1 ? put(a.slice(b[0], c[0])) : false;
      case "Add":
        return each((x, y) => x + y);
      case "Sub":
        return each((x, y) => x - y);
      case "Mul":
        return each((x, y) => x * y);
      case "Div":
        return each((x, y) => Math.trunc(x / y));
      default:
        return false;
    }
  }

  #list(name: string | undefined, what: string): readonly number[] {
    const list = name ? this.#integers.get(name) : undefined;
    if (list) return list;
    throw sinoError("ERR_SINO_UNSUPPORTED", `${what} expected numbers that are known when the model is read.`);
  }

  /** The number in a constant of one value, or undefined where it is left out. */
  #number(name: string | undefined): number | undefined {
    if (!name) return undefined;
    const value = this.#constants.get(name)?.data[0];
    if (value !== undefined) return Number(value);
    throw sinoError("ERR_SINO_UNSUPPORTED", `Expected a constant for ${name}.`);
  }

  /** Operations that are here by the same name: inputs that ONNX takes as constants become attributes. */
  #plain(node: FileNode, inputs: () => (Tensor | undefined)[]): [(Tensor | undefined)[], Attributes] {
    const { inputAttributes } = operationOf(node.type);
    const attributes = { ...node.attributes } as Record<string, Attributes[string]>;
    let operands: (Tensor | undefined)[];
    if (inputAttributes) {
      inputAttributes.names.forEach((name, i) => {
        const input = node.inputs[inputAttributes.operands + i];
        if (name !== "" && input) attributes[name] = this.#list(input, `${node.type}'s ${name}`);
      });
      operands = node.inputs.slice(0, inputAttributes.operands).map((name) => (name ? this.#tensor(name) : undefined));
    } else operands = inputs();
    return [operands, normalized(node.type, operands, attributes, node.outputs.length)];
  }

  /** Operations that are something else here. */
  #special(node: FileNode): readonly Tensor[] | undefined {
    const { type, attributes, inputs } = node;
    const x = () => this.#tensor(inputs[0]!);
    const at = (i: number) => (inputs[i] ? this.#tensor(inputs[i]) : undefined);
    const epsilon = (attributes["epsilon"] as number | undefined) ?? 1e-5;
    switch (type) {
      case "Dropout":
        return [identity(x())];
      case "Flatten": {
        const axis = (attributes["axis"] as number | undefined) ?? 1;
        return [reshape(x(), [sizeOf(x().shape.slice(0, axis)), -1])];
      }
      case "Squeeze":
      case "Unsqueeze": {
        const axes =
          (attributes["axes"] as number[] | undefined) ?? (inputs[1] ? this.#list(inputs[1], type) : undefined);
        return [reshape(x(), type === "Squeeze" ? squeezed(x().shape, axes) : unsqueezed(x().shape, axes ?? []))];
      }
      case "Reshape": {
        const shape = this.#list(inputs[1], type).map((n, i) => (n === 0 ? x().shape[i]! : n));
        return [reshape(x(), shape)];
      }
      case "Expand": {
        const shape = this.#list(inputs[1], type);
        return this.#graph.add("Expand", [x()], { shape });
      }
      case "GlobalAveragePool":
        return [reduceMean(x(), [...x().shape.keys()].slice(2), { keep: true })];
      case "BatchNormalization":
        return [foldedBatchNorm(x(), { mean: at(3)!, variance: at(4)! }, { scale: at(1), bias: at(2), epsilon })];
      case "InstanceNormalization":
        return [instanceNorm(x(), { scale: at(1), bias: at(2), epsilon })];
      case "LayerNormalization":
        if (![-1, x().shape.length - 1, undefined].includes(attributes["axis"] as number | undefined))
          throw refused(type, "axis", attributes["axis"]);
        return [layerNorm(x(), { scale: at(1), bias: at(2), epsilon })];
      case "GroupNormalization":
        return [groupNorm(x(), attributes["num_groups"] as number, { scale: at(1), bias: at(2), epsilon })];
      case "Swish":
        return [silu(x())];
      case "Clip": {
        const [low, high] = [this.#number(inputs[1]), this.#number(inputs[2])];
        if (low !== undefined && high !== undefined) return [clip(x(), low, high)];
        return [low !== undefined ? max(x(), low) : high !== undefined ? min(x(), high) : identity(x())];
      }
      case "DepthToSpace":
        if (attributes["mode"] !== "CRD") throw refused(type, "mode", attributes["mode"] ?? "DCR");
        return [pixelShuffle(x(), attributes["blocksize"] as number)];
      case "SpaceToDepth": {
        // ONNX puts the block first, then the channels
        const r = attributes["blocksize"] as number;
        const unshuffled = pixelUnshuffle(x(), r);
        const [n, c, h, w] = unshuffled.shape as [number, number, number, number];
        const parts = reshape(unshuffled, [n, c / r ** 2, r * r, h, w]);
        return [reshape(transpose(parts, [0, 2, 1, 3, 4]), [n, c, h, w])];
      }
      case "Split": {
        const axis = ((attributes["axis"] as number | undefined) ?? 0) as number;
        const length = x().shape.at(axis)!;
        const parts = node.outputs.length;
        const even = Array.from({ length: parts }, (_, i) =>
          Math.min(Math.ceil(length / parts), length - i * Math.ceil(length / parts)),
        );
        const lengths =
          (attributes["split"] as number[] | undefined) ?? (inputs[1] ? this.#list(inputs[1], type) : even);
        return split(x(), lengths, axis);
      }
      case "Resize":
        return [this.#resized(node)];
      default:
        return undefined;
    }
  }

  #resized({ attributes, inputs }: FileNode): Tensor {
    const x = this.#tensor(inputs[0]!);
    const scales = inputs[2] ? this.#constants.get(inputs[2])?.data : undefined;
    const size = inputs[3]
      ? this.#list(inputs[3], "Resize").slice(2)
      : x.shape.slice(2).map((n, i) => Math.floor(n * Number(scales?.[i + 2] ?? 1)));
    const mode = attributes["mode"] ?? "nearest";
    const grid = attributes["coordinate_transformation_mode"] ?? "half_pixel";
    if (mode === "nearest") {
      const factors = size.map((n, i) => n / x.shape[i + 2]!);
      // whole factors repeat pixels on either grid
      if (factors.every(Number.isInteger) && ["asymmetric", "half_pixel"].includes(grid as string))
        return upsample(x, factors);
      throw refused("Resize", "nearest scale", factors.join(" × "));
    }
    if (mode !== "linear") throw refused("Resize", "mode", mode);
    if (grid === "align_corners") return resizeLinear(x, size, { align: "corners" });
    if (grid === "half_pixel" || grid === "pytorch_half_pixel") return resizeLinear(x, size);
    throw refused("Resize", "coordinate_transformation_mode", grid);
  }
}

const refused = (type: string, attribute: string, value: unknown) =>
  sinoError("ERR_SINO_UNSUPPORTED", `${type} with ${attribute} ${String(value)} cannot be read.`, {
    details: { operation: type, attribute },
  });

function squeezed(shape: readonly number[], axes?: readonly number[]): number[] {
  const list = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis));
  return shape.filter((n, i) => (list ? !list.includes(i) : n !== 1));
}

function unsqueezed(shape: readonly number[], axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const list = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, i) => (list.includes(i) ? 1 : rest.shift()!));
}

/** Attributes with the defaults that our operations want to see, axes not negative. */
function normalized(
  type: string,
  inputs: readonly (Tensor | undefined)[],
  given: Record<string, Attributes[string]>,
  outputs: number,
): Attributes {
  const x = inputs[0]!;
  const rank = x.shape.length;
  const positive = (axis: number) => (axis < 0 ? axis + rank : axis);
  const a = { ...given };
  const defaults: Record<string, Attributes[string]> = { Concat: 0, Gather: 0, Softmax: -1, LogSoftmax: -1 };
  if (type in defaults) a["axis"] = positive((a["axis"] ?? defaults[type]) as number);
  if (type.startsWith("Reduce")) {
    const axes = (a["axes"] as number[] | undefined) ?? [...x.shape.keys()];
    a["axes"] = axes.map(positive).sort((p, q) => p - q);
    a["keepdims"] ??= 1;
    delete a["noop_with_empty_axes"];
  }
  if (type === "Transpose") a["perm"] ??= [...x.shape.keys()].reverse();
  if (type === "Slice") {
    a["axes"] = ((a["axes"] as number[] | undefined) ?? (a["starts"] as number[]).map((_, i) => i)).map(positive);
    a["steps"] ??= (a["starts"] as number[]).map(() => 1);
    // "to the end" as the largest integer is more than a double holds
    a["ends"] = (a["ends"] as number[]).map((n) => Math.max(Math.min(n, 2 ** 31), -(2 ** 31)));
  }
  if (type === "Conv" || type === "ConvTranspose" || type.endsWith("Pool")) windowed(type, inputs, a);
  if (type === "MaxPool" && outputs > 1) throw refused(type, "output", "indices");
  return a;
}

function windowed(
  type: string,
  [x, weight]: readonly (Tensor | undefined)[],
  a: Record<string, Attributes[string]>,
): void {
  const size = x!.shape.slice(2);
  a["kernel_shape"] ??= weight!.shape.slice(2);
  a["strides"] ??= size.map(() => 1);
  const kernel = a["kernel_shape"] as readonly number[];
  const strides = a["strides"] as readonly number[];
  const dilations = (a["dilations"] ?? size.map(() => 1)) as readonly number[];
  const auto = a["auto_pad"];
  delete a["auto_pad"];
  if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    if (type === "ConvTranspose") throw refused(type, "auto_pad", auto);
    const total = size.map((n, i) =>
      Math.max(0, (Math.ceil(n / strides[i]!) - 1) * strides[i]! + dilations[i]! * (kernel[i]! - 1) + 1 - n),
    );
    const less = total.map((n) => Math.floor(n / 2));
    const more = total.map((n) => Math.ceil(n / 2));
    a["pads"] = auto === "SAME_UPPER" ? [...less, ...more] : [...more, ...less];
  }
  a["pads"] ??= size.flatMap(() => [0, 0]);
  if (type === "ConvTranspose" && a["output_shape"] !== undefined)
    throw refused(type, "output_shape", a["output_shape"]);
  if (!type.endsWith("Pool")) return;
  if (a["ceil_mode"]) throw refused(type, "ceil_mode", 1);
  if (dilations.some((d) => d !== 1)) throw refused(type, "dilations", dilations);
  for (const name of ["ceil_mode", "dilations", "storage_order"]) delete a[name];
  if (type === "AveragePool") {
    const isPadded = (a["pads"] as readonly number[]).some((n) => n !== 0);
    if (isPadded && a["count_include_pad"] !== 1) throw refused(type, "count_include_pad", 0);
    a["count_include_pad"] = 1;
  }
}
