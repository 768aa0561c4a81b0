/** Products of matrices, batched over leading axes that broadcast. */
import { apply } from "../graph.ts";
import { defineOperation } from "../operation.ts";
import { broadcast, misfit, type Tensor } from "../tensor.ts";
import { add, mul, unbroadcast } from "./elementwise.ts";
import { reshape, transpose, transposeLast } from "./layout.ts";

/** […, n, k] · […, k, m] = […, n, m]. */
export const matmul = (a: Tensor, b: Tensor): Tensor => apply("MatMul", [a, b]);

/** x · weightᵀ + bias, as PyTorch keeps them: x […, in], weight [out, in], bias [out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y = matmul(x, transposeLast(weight));
  return bias ? add(y, bias) : y;
}

defineOperation("MatMul", {
  infer([a, b]) {
    const [left, right] = [a!.shape, b!.shape];
    const lead = broadcast([left.slice(0, -2), right.slice(0, -2)]);
    if (left.length < 2 || right.length < 2 || left.at(-1) !== right.at(-2) || !lead || a!.type !== b!.type)
      throw misfit("MatMul", "[…, n, k] and […, k, m]", [a, b]);
    return [{ type: a!.type, shape: [...lead, left.at(-2)!, right.at(-1)!] }];
  },
  gradient({ inputs }, [dy], [wantsA, wantsB]) {
    const [a, b] = inputs as [Tensor, Tensor];
    return [wantsA ? byLeft(a, b, dy!) : undefined, wantsB ? byRight(a, b, dy!) : undefined];
  },
});

function byLeft(a: Tensor, b: Tensor, dy: Tensor): Tensor {
  return unbroadcast(matmul(dy, transposeLast(b)), a.shape);
}

/** One matrix for a whole batch is one long product, not a sum of many. */
function byRight(a: Tensor, b: Tensor, dy: Tensor): Tensor {
  if (b.shape.length > 2) return unbroadcast(matmul(transposeLast(a), dy), b.shape);
  const long = (t: Tensor) => reshape(t, [-1, t.shape.at(-1)!]);
  return matmul(transpose(long(a), [1, 0]), long(dy));
}

defineOperation("Gemm", {
  infer([a, b, c], attributes) {
    const [n, k] = attributes["transA"] ? [a!.shape[1], a!.shape[0]] : [a!.shape[0], a!.shape[1]];
    const [k2, m] = attributes["transB"] ? [b!.shape[1], b!.shape[0]] : [b!.shape[0], b!.shape[1]];
    if (a!.shape.length !== 2 || b!.shape.length !== 2 || k !== k2 || (c && !broadcast([c.shape, [n!, m!]])))
      throw misfit("Gemm", "[n, k], [k, m] and what broadcasts to [n, m]", [a, b, c]);
    return [{ type: a!.type, shape: [n!, m!] }];
  },
  gradient({ inputs, attributes }, [dy], [wantsA, wantsB, wantsC]) {
    const [a, b, c] = inputs as [Tensor, Tensor, Tensor | undefined];
    const turn = (t: Tensor) => transpose(t, [1, 0]);
    const alpha = (attributes["alpha"] as number | undefined) ?? 1;
    const beta = (attributes["beta"] as number | undefined) ?? 1;
    const dp = alpha === 1 ? dy! : mul(dy!, alpha);
    const left = attributes["transA"] ? turn(a) : a;
    const right = attributes["transB"] ? turn(b) : b;
    const da = wantsA ? matmul(dp, turn(right)) : undefined;
    const db = wantsB ? matmul(turn(left), dp) : undefined;
    const dc = wantsC && c ? unbroadcast(beta === 1 ? dy! : mul(dy!, beta), c.shape) : undefined;
    return [da && attributes["transA"] ? turn(da) : da, db && attributes["transB"] ? turn(db) : db, dc];
  },
});
