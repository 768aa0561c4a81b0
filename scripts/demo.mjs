// `npm run demo`: sets up, then the shipped case. The work is in lib/cli/demo.ts.
import { join, resolve } from "node:path";
import { setup } from "./setup.mjs";

setup();
const root = resolve(import.meta.dirname, "..");
const { main } = await import("../dist/cli/main.js");
const args = process.argv.slice(2);
process.exitCode = await main(["demo", "-o", join(root, "demo-output"), ...args]);
