/**
 * Other numbers of pixels. Nearest by whole factors repeats pixels, and its gradient sums them. Linear interpolation runs
 * along one axis after the other, so its gradient multiplies each axis by the transpose of a small matrix.
 */
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { misfit, type Tensor } from "../tensor.ts";
import { alongAxis, reshape, transpose } from "./layout.ts";
import { reduceSum } from "./reduce.ts";

/** Each pixel repeated `factor` times along every axis, or factor[i] times along axis i. */
export function upsample(x: Tensor, factor: number | readonly number[] = 2): Tensor {
  const factors = typeof factor === "number" ? x.shape.slice(2).map(() => factor) : factor;
  return apply("Upsample", [x], { factors });
}

export interface ResizeOptions {
  /** The grid: pixel centres "half" a pixel inside the edges (default), or the first and last centres on "corners". */
  readonly align?: "half" | "corners";
}

/** Linear interpolation (bilinear, trilinear) to `size` pixels, as PyTorch's interpolate does it without antialiasing. */
export function resizeLinear(x: Tensor, size: readonly number[], { align = "half" }: ResizeOptions = {}): Tensor {
  const mode = align === "half" ? "pytorch_half_pixel" : "align_corners";
  return apply("Resize", [x], {
    sizes: [...x.shape.slice(0, 2), ...size],
    mode: "linear",
    coordinate_transformation_mode: mode,
  });
}

/**
 * Values of images [N, C, rows, columns] at the points of a grid [N, out rows, out columns, 2]: column and row from −1 to 1, the outer
 * edges of the first and last pixels; beyond them images are mirrored. No gradient.
 */
export function gridSample(x: Tensor, grid: Tensor, mode: "linear" | "nearest" = "linear"): Tensor {
  return apply("GridSample", [x, grid], { mode, padding_mode: "reflection", align_corners: 0 });
}

defineOperation("GridSample", {
  infer([x, grid]) {
    if (x!.shape.length !== 4 || grid!.shape.length !== 4 || grid!.shape[0] !== x!.shape[0] || grid!.shape[3] !== 2)
      throw misfit("GridSample", "[N, C, rows, columns] and [N, rows, columns, 2]", [x, grid]);
    return [{ type: x!.type, shape: [...x!.shape.slice(0, 2), ...grid!.shape.slice(1, 3)] }];
  },
});

defineOperation("Upsample", {
  infer([x], { factors }) {
    const list = factors as readonly number[];
    if (list.length !== x!.shape.length - 2) throw misfit("Upsample", `[N, C, …] with ${list.length} axes behind`, [x]);
    return [{ type: x!.type, shape: [...x!.shape.slice(0, 2), ...x!.shape.slice(2).map((n, i) => n * list[i]!)] }];
  },
  // Resize repeats ten times as fast as Expand, which copies single numbers here
  lower([x], { factors }) {
    const list = factors as readonly number[];
    const scales = x!.graph.constant([1, 1, ...list], [list.length + 2]);
    const shape = x!.shape.map((n, i) => (i < 2 ? n : n * list[i - 2]!));
    const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
    return [...x!.graph.append("Resize", [x, undefined, scales], attributes, [{ type: x!.type, shape }])];
  },
  gradient({ inputs, attributes }, [dy]) {
    const list = attributes["factors"] as readonly number[];
    const x = inputs[0]!;
    const [n, c, ...size] = x.shape;
    const long = [n! * c!, ...size.flatMap((m, i) => [m, list[i]!])];
    return [
      reshape(
        reduceSum(
          reshape(dy!, long),
          list.map((_, i) => 2 + 2 * i),
        ),
        x.shape,
      ),
    ];
  },
});

defineOperation("Resize", {
  infer([x], { sizes }) {
    const shape = sizes as readonly number[];
    if (shape.length !== x!.shape.length || shape.some((n, i) => n < 1 || (i < 2 && n !== x!.shape[i])))
      throw misfit("Resize", `[N, C, …] for the size [${shape.join(", ")}]`, [x]);
    return [{ type: x!.type, shape }];
  },
  gradient({ inputs, outputs, attributes }, [dy]) {
    const x = inputs[0]!;
    const isCorner = attributes["coordinate_transformation_mode"] === "align_corners";
    let dx = dy!;
    for (let axis = 2; axis < x.shape.length; axis++) {
      const [from, to] = [x.shape[axis]!, outputs[0]!.shape[axis]!];
      if (from === to) continue;
      dx = alongAxis(dx, axis, x.graph.constant(interpolation(from, to, isCorner), [to, from]));
    }
    return [dx];
  },
  inputAttributes: { operands: 1, names: ["", "", "sizes"] },
});

/** Row i holds the weights with which pixel i of `to` is made of the pixels of `from`. */
function interpolation(from: number, to: number, isCorner: boolean): Float32Array {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = isCorner ? (to > 1 ? (i * (from - 1)) / (to - 1) : 0) : to > 1 ? ((i + 0.5) * from) / to - 0.5 : 0;
    const inside = Math.min(Math.max(at, 0), from - 1);
    const low = Math.min(Math.floor(inside), from - 1);
    const high = Math.min(low + 1, from - 1);
    matrix[i * from + low]! += 1 - (inside - low);
    matrix[i * from + high]! += inside - low;
  }
  return matrix;
}

/** [N, C·r², H, W] → [N, C, r·H, r·W], as PyTorch's PixelShuffle; on three axes r³. */
export function pixelShuffle(x: Tensor, r: number): Tensor {
  const [n, channels, ...size] = x.shape;
  const rank = size.length;
  const c = channels! / r ** rank;
  if (!Number.isInteger(c)) throw misfit("PixelShuffle", `channels in multiples of ${r ** rank}`, [x]);
  const parts = reshape(x, [n!, c, ...size.map(() => r), ...size]);
  const order = [0, 1, ...size.flatMap((_, i) => [2 + rank + i, 2 + i])];
  return reshape(transpose(parts, order), [n!, c, ...size.map((m) => m * r)]);
}

/** [N, C, r·H, r·W] → [N, C·r², H, W]: the inverse of `pixelShuffle`. */
export function pixelUnshuffle(x: Tensor, r: number): Tensor {
  const [n, c, ...size] = x.shape;
  const rank = size.length;
  if (size.some((m) => m % r !== 0)) throw misfit("PixelUnshuffle", `sizes in multiples of ${r}`, [x]);
  const parts = reshape(x, [n!, c!, ...size.flatMap((m) => [m / r, r])]);
  const order = [0, 1, ...size.map((_, i) => 3 + 2 * i), ...size.map((_, i) => 2 + 2 * i)];
  return reshape(transpose(parts, order), [n!, c! * r ** rank, ...size.map((m) => m / r)]);
}
