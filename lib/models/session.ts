/**
 * Runs ONNX models through onnxruntime-node, an optional package: the only file that loads it. `run` blocks the thread it
 * is called on while the model runs, so long runs belong into a worker thread or a process of their own.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sizeOf } from "../core/arrays.ts";
import { sinoError } from "../core/errors.ts";
import { importOptional } from "../data/optional.ts";

export type Provider = "cpu" | "cuda" | "tensorrt" | "webgpu" | "dml" | "coreml";

/** Typed arrays as tensors: float32, int64 (BigInt64Array), int32, float16 (Uint16Array), bool and uint8 (Uint8Array). */
export interface Values {
  readonly data: Float32Array | Float64Array | BigInt64Array | Int32Array | Uint16Array | Uint8Array | Int8Array;
  readonly shape: readonly number[];
  /** Only where the array does not say it: "bool", "float16". */
  readonly type?: string;
}

export interface SessionOptions {
  /** Default ["cpu"]; the first that is there is taken. A provider that is named alone and missing is an error. */
  readonly providers?: readonly Provider[];
  /** Threads of one run; default: SINOGRAM_THREADS or what onnxruntime takes for this machine. */
  readonly threads?: number;
  /** Where onnxruntime writes the model as it runs it, for looking at. */
  readonly optimizedModelPath?: string;
  /** Prefix of a file into which onnxruntime writes how long each operation took. */
  readonly profilePrefix?: string;
}

export interface Session {
  readonly provider: Provider;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the model. Outputs named in `into` are written into the arrays given there (of exactly the output's size); all
   * others are new. Arrays must not be SharedArrayBuffers. Throws ERR_SINO_MODEL where onnxruntime refuses.
   */
  run(
    feeds: Readonly<Record<string, Values>>,
    into?: Readonly<Record<string, Values>>,
  ): Promise<Record<string, Values>>;
  /** Frees the model. */
  close(): Promise<void>;
}

/** The part of onnxruntime-node that is used here. */
interface OrtTensor {
  readonly data: Values["data"];
  readonly dims: readonly number[];
  readonly type: string;
}

interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor | null>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
  endProfiling(): void;
}

interface Ort {
  readonly Tensor: new (type: string, data: Values["data"], dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array | string, options: object): Promise<OrtSession> };
}

// not a literal: the types are those above, so that the sources check without the package too
const packageName: string = "onnxruntime-node";

export function loadOnnxRuntime(): Promise<Ort> {
  return importOptional(packageName, "Running a network", async () => {
    const module = await import(packageName);
    return (module.default ?? module) as Ort;
  });
}

/** Opens an ONNX model, bytes or the path of a file. Throws ERR_SINO_UNSUPPORTED, ERR_SINO_BACKEND_UNAVAILABLE, ERR_SINO_MODEL. */
export async function openSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
  const ort = await loadOnnxRuntime();
  const wanted = options.providers ?? ["cpu"];
  const reasons: string[] = [];
  for (const provider of wanted) {
    const missing = missingLibrary(provider);
    if (missing) {
      reasons.push(`${provider}: ${missing} is not there`);
      continue;
    }
    try {
      return sessionOf(ort, provider, await ort.InferenceSession.create(model, ortOptions(provider, options)), options);
    } catch (cause) {
      if (provider === "cpu") throw modelError("onnxruntime cannot load the model", cause);
      reasons.push(`${provider}: ${(cause as Error).message}`);
    }
  }
  throw sinoError(
    "ERR_SINO_BACKEND_UNAVAILABLE",
    `None of the providers ${wanted.join(", ")} runs this model here (${reasons.join("; ")}). Add "cpu" to the providers.`,
    { details: { providers: wanted } },
  );
}

/** Providers that are libraries of their own, which the package does not bring: trying them prints errors on stderr. */
const libraries: Partial<Record<Provider, string>> = {
  cuda: "libonnxruntime_providers_cuda.so",
  tensorrt: "libonnxruntime_providers_tensorrt.so",
};

function missingLibrary(provider: Provider): string | undefined {
  const name = process.platform === "linux" ? libraries[provider] : undefined;
  if (!name) return undefined;
  const entry = fileURLToPath(import.meta.resolve(packageName));
  const path = join(dirname(entry), "../bin/napi-v6", process.platform, process.arch, name);
  return existsSync(path) ? undefined : path;
}

function ortOptions(provider: Provider, options: SessionOptions): object {
  const threads = options.threads ?? Number(process.env["SINOGRAM_THREADS"] ?? 0);
  return {
    executionProviders: [provider],
    logSeverityLevel: 3,
    graphOptimizationLevel: "all",
    // planning all of a run's memory ahead keeps what the first run allocated, too: half as much again, and no faster
    enableMemPattern: false,
    ...(threads > 0 && { intraOpNumThreads: threads }),
    ...(options.optimizedModelPath && { optimizedModelFilePath: options.optimizedModelPath }),
    ...(options.profilePrefix && { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    // a thread that spins takes the core from whoever could use it
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
}

function sessionOf(ort: Ort, provider: Provider, session: OrtSession, options: SessionOptions): Session {
  const tensor = ({ data, shape, type }: Values) => new ort.Tensor(type ?? typeOf(data), data, shape);
  return {
    provider,
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, into = {}) {
      const fed: Record<string, OrtTensor> = {};
      for (const name of session.inputNames) fed[name] = tensor(checked(feeds[name], name));
      const fetches: Record<string, OrtTensor | null> = {};
      for (const name of session.outputNames) fetches[name] = into[name] ? tensor(checked(into[name], name)) : null;
      try {
        const results = await session.run(fed, fetches);
        const values: Record<string, Values> = {};
        for (const [name, { data, dims, type }] of Object.entries(results))
          values[name] = into[name] ?? { data, shape: dims, type };
        return values;
      } catch (cause) {
        throw modelError("onnxruntime cannot run the model", cause);
      }
    },
    async close() {
      if (options.profilePrefix) session.endProfiling();
      await session.release();
    },
  };
}

function checked(values: Values | undefined, name: string): Values {
  if (!values) throw sinoError("ERR_SINO_ARG_TYPE", `Expected values for ${name} but received none.`);
  if (values.data.length !== sizeOf(values.shape))
    throw sinoError(
      "ERR_SINO_SHAPE",
      `${name} of shape [${values.shape.join(", ")}] needs ${sizeOf(values.shape)} values but received ${values.data.length}.`,
    );
  return values;
}

function typeOf(data: Values["data"]): string {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof BigInt64Array) return "int64";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Uint16Array) return "float16";
  return data instanceof Int8Array ? "int8" : "uint8";
}

function modelError(what: string, cause: unknown): Error {
  return sinoError("ERR_SINO_MODEL", `${what}: ${(cause as Error).message}`, { cause });
}
