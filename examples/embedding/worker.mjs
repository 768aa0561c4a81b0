// Reconstruction in a worker thread, for a program whose main thread has other things to do. The operations are asynchronous
// anyway; a thread of its own pays where much JavaScript belongs to a job (parsing, hashing), or where a job must be killable.
//
//     node examples/embedding/worker.mjs
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

export class Engine {
  #worker = new Worker(new URL("./engine.mjs", import.meta.url));
  #pending = new Map();
  #next = 1;

  constructor() {
    this.#worker.on("message", ({ id, kind, ...message }) => {
      const { resolve, reject, onProgress } = this.#pending.get(id) ?? {};
      if (kind === "progress") return onProgress?.(message);
      this.#pending.delete(id);
      if (kind === "result") resolve?.(message);
      else reject?.(Object.assign(new Error(message.message), { code: message.code }));
    });
    const lost = (error) => {
      for (const { reject } of this.#pending.values()) reject(error ?? new Error("the worker has ended"));
      this.#pending.clear();
    };
    this.#worker.on("error", lost).on("exit", () => lost());
  }

  /** `sinogram` is {data, shape}; memory that both sides see (SharedArrayBuffer) is not copied on the way. */
  fbp({ data, shape }, geometry, { signal, onProgress } = {}) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress });
      signal?.addEventListener("abort", () => this.#worker.postMessage({ id, kind: "cancel" }), { once: true });
      this.#worker.postMessage({ id, kind: "fbp", data, shape, geometry });
    });
  }

  close() {
    return this.#worker.terminate();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const geometry = {
    beam: "parallel",
    bins: 367,
    binMm: 1,
    angles: { span: 180, count: 360 },
    image: { shape: [256, 256], pixelMm: 1 },
  };
  const engine = new Engine();
  const data = new Float32Array(new SharedArrayBuffer(360 * 367 * 4)).fill(1);
  const image = await engine.fbp({ data, shape: [360, 367] }, geometry);
  console.log(`image of ${image.shape.join(" × ")}, centre ${image.data[128 * 256 + 128].toExponential(2)} 1/mm`);
  await engine.close();
}
