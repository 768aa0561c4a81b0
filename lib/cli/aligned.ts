/** Images as batches of one rank. */
import { type ArrayLike, type TypedArray, type Volume, volume } from "../core/arrays.ts";

/** One image alone and a batch of one are the same. */
export function aligned(images: Volume<TypedArray>, rank: number): ArrayLike {
  const shape = images.shape;
  if (shape.length === 3 && shape[0] === 1 && rank === 2) return volume(images.data, shape.slice(1));
  return shape.length === 2 && rank === 3 ? volume(images.data, [1, ...shape]) : images;
}
