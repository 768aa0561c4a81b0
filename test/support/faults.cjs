// Required before everything else, in every thread (--import would not reach them): from the n-th change to the file system on,
// "kill" ends the process as kill -9 does, "full" makes every write fail as on a full disk, "count" only tells.
// SINOGRAM_TEST_FAULTS="kill worker 12", "full main 3", "count main 0".
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");
const { isMainThread } = require("node:worker_threads");

const [what, where, at] = (process.env.SINOGRAM_TEST_FAULTS ?? "").split(" ");
const isHere = (where === "main") === isMainThread;
const isOurs = (path) => String(path).includes(process.env.SINOGRAM_TEST_FOLDER ?? "no such folder");
const writeSync = fs.writeSync;
let count = 0;

function change(name, path, isWrite) {
  if (!isOurs(path)) return;
  count++;
  if (what === "count") writeSync(2, `${where} ${count} ${name} ${path}\n`);
  if (count < Number(at)) return;
  if (what === "kill") process.kill(process.pid, "SIGKILL");
  if (what === "full" && isWrite)
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
}

function before(holder, name, { isWrite = false, rejects = true } = {}) {
  const original = holder[name];
  holder[name] = function (...args) {
    const isRead = name.startsWith("open") && !/[wa+]/.test(String(args[1] ?? "r"));
    try {
      if (!isRead) change(name, args[0], isWrite);
    } catch (error) {
      if (rejects) return Promise.reject(error);
      throw error;
    }
    return original.apply(this, args);
  };
}

if (isHere) {
  for (const name of ["rename", "rm", "rmdir"]) before(fs.promises, name);
  for (const name of ["mkdir", "open"]) before(fs.promises, name, { isWrite: true });
  before(fs, "openSync", { isWrite: true, rejects: false });
  syncBuiltinESMExports();
}
