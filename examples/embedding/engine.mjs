// The side that computes: a worker thread of Node, or a utility process of Electron. Messages in, messages out:
//     { id, kind: "fbp", data, shape, geometry }    →  { id, kind: "progress", done, total } …  { id, kind: "result", data, shape }
//     { id, kind: "cancel" }                        →  { id, kind: "error", code, message }
// Results are ordinary ArrayBuffers (the addon makes no external ones, which Electron refuses), so they can be transferred.
import { parentPort } from "node:worker_threads";
import { fbp, parseGeometry } from "sinogram";

const port = process.parentPort ?? parentPort; // Electron's, or Node's
const running = new Map();

async function reconstruct({ id, data, shape, geometry }) {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const images = await fbp({ data, shape }, parseGeometry(geometry), {
      signal: controller.signal,
      onProgress: ({ done, total }) => port.postMessage({ id, kind: "progress", done, total }),
    });
    // an ndarray itself has methods and cannot be sent: send what it is made of
    port.postMessage(
      { id, kind: "result", data: images.data, shape: images.shape },
      process.parentPort ? [] : [images.data.buffer],
    );
  } catch (error) {
    const { code = "ABORTED", message = String(error) } = error ?? {};
    port.postMessage({ id, kind: "error", code, message });
  } finally {
    running.delete(id);
  }
}

port.on("message", (event) => {
  const message = event.kind === undefined ? event.data : event; // Electron wraps messages into events
  if (message.kind === "cancel")
    running.get(message.id)?.abort(Object.assign(new Error("cancelled"), { code: "ABORTED" }));
  else void reconstruct(message);
});
