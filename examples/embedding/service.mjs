// A reconstruction service that stays upright under load: so many jobs at once, so many waiting, everybody else is told to come
// back; a client that hangs up ends its job. Plain node:http; the handler also serves Express and Fastify (docs/embedding.md).
//
//     node examples/embedding/service.mjs examples/geometry/parallel-180.json 8080
//     curl --data-binary @sinogram.f32 http://localhost:8080/ -o image.f32
import { once } from "node:events";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { fbp, isCodedError, readGeometry, reconstructStream } from "sinogram";

/** At most `running` at once and `waiting` in line; more are refused at once, so that memory and answer times stay bounded. */
export class Line {
  #free;
  #places;
  #waiting = [];

  constructor({ running = 1, waiting = 4 } = {}) {
    this.#free = running;
    this.#places = waiting;
  }

  get isFull() {
    return this.#free === 0 && this.#waiting.length >= this.#places;
  }

  /** Runs `job` when its turn comes. Rejects with the signal's reason where that comes first. */
  async run(job, signal) {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else
      await new Promise((resolve, reject) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => {
          const at = this.#waiting.indexOf(resolve);
          if (at >= 0) this.#waiting.splice(at, 1);
          reject(signal.reason);
        });
      });
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Reads a body of known size; a larger one is cut off, not collected. */
async function bodyOf(request, most) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > most) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length); // memory of its own, so aligned for float32
  for (let at = 0, i = 0; i < chunks.length; at += chunks[i++].length) bytes.set(chunks[i], at);
  return bytes;
}

/**
 * A request handler: the body is one or more sinograms as little-endian float32, the answer their images. Slices are sent as they
 * are done; a slow client slows the computing down instead of filling memory.
 */
export function reconstructionHandler(geometry, { line = new Line(), mostSlices = 64 } = {}) {
  const shape = [geometry.angles.length, geometry.bins];
  const sliceBytes = shape[0] * shape[1] * 4;
  const refuse = (response, status, error, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
    response.end(JSON.stringify({ error }));
  };

  return async (request, response) => {
    if (line.isFull) return refuse(response, 503, "busy, try again", { "retry-after": "2" });
    const hangUp = new AbortController();
    response.on("close", () => response.writableFinished || hangUp.abort(new Error("the client hung up")));
    try {
      await line.run(async () => {
        const bytes = await bodyOf(request, mostSlices * sliceBytes); // read when its turn has come: waiting costs no memory
        if (!bytes) return refuse(response, 413, `at most ${mostSlices} slices`);
        const slices = bytes.length / sliceBytes;
        if (slices < 1 || !Number.isInteger(slices))
          return refuse(
            response,
            400,
            `expected a multiple of ${sliceBytes} bytes, ${shape[0]} views of ${shape[1]} float32`,
          );
        const sinograms = { data: new Float32Array(bytes.buffer), shape: [slices, ...shape] };
        response.writeHead(200, { "content-type": "application/octet-stream" });
        for await (const { image } of reconstructStream(sinograms, geometry, { signal: hangUp.signal })) {
          const { buffer, byteOffset, byteLength } = image.data;
          if (!response.write(new Uint8Array(buffer, byteOffset, byteLength)))
            await once(response, "drain", { signal: hangUp.signal });
        }
        response.end();
      }, hangUp.signal);
    } catch (error) {
      if (hangUp.signal.aborted) return;
      if (response.headersSent) return response.destroy(error); // too late for a status: the client sees a broken answer
      const isTheirs = isCodedError(error) && error.code !== "ERR_SINO_OUT_OF_MEMORY";
      refuse(response, isTheirs ? 400 : 503, isCodedError(error) ? error.message : "failed");
    }
  };
}

/** Loads the addon and its tables before the first client has to wait for that. */
export async function warmUp(geometry) {
  const shape = [geometry.angles.length, geometry.bins];
  await fbp({ data: new Float32Array(shape[0] * shape[1]), shape }, geometry);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [, , path, port = "8080"] = process.argv;
  const geometry = await readGeometry(path);
  await warmUp(geometry);
  const server = createServer(reconstructionHandler(geometry)).listen(Number(port), () => {
    console.log(`listening on ${server.address().port}`);
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.close());
}
