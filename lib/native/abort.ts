/** One listener for all jobs of a signal: Node warns of a leak where a signal has more than ten. */

interface Listened {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

const listened = new WeakMap<AbortSignal, Listened>();

/** Calls `call` when the signal is aborted, until what is returned is called. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const { calls, listener } = listened.get(signal) ?? listen(signal);
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0 || listened.get(signal)?.calls !== calls) return;
    signal.removeEventListener("abort", listener);
    listened.delete(signal);
  };
}

function listen(signal: AbortSignal): Listened {
  const calls = new Set<() => void>();
  const listener = () => {
    for (const call of calls) call();
  };
  const one = { calls, listener };
  listened.set(signal, one);
  signal.addEventListener("abort", listener, { once: true });
  return one;
}
