/** Starting a worker thread from one of our modules, compiled or as TypeScript source. */
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * A thread that runs the module `name` (no extension) beside the module `here` (its import.meta.url). Sources run through
 * tsx, which has to be registered in each thread anew; the published package has only compiled modules.
 */
export function startThread(name: string, here: string, options: WorkerOptions = {}): Worker {
  if (!here.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, here), options);
  const module = JSON.stringify(new URL(`./${name}.ts`, here).href);
  const start = `import("tsx/esm/api").then((tsx) => { tsx.register(); return import(${module}); })`;
  return new Worker(start, { ...options, eval: true });
}
