/** One thread that decodes compressed slices with dcmjs-codecs: reads the fragments, decodes, hands the bytes over. */
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { importOptional } from "../optional.ts";
import { joinFragments } from "./fragments.ts";
import type { Codec } from "./syntaxes.ts";

/** What to decode; `offset` is where the encapsulated pixel data begins in the file. */
export interface DecodeTask {
  readonly file: string;
  readonly fileBytes: number;
  readonly offset: number;
  readonly codec: Codec;
  readonly rows: number;
  readonly columns: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly signed: boolean;
}

/** `isMissing`: dcmjs-codecs is not installed. */
export interface DecodeReply {
  readonly pixels?: ArrayBuffer;
  readonly error?: string;
  readonly isMissing?: boolean;
}

type CodecsModule = typeof import("dcmjs-codecs");
let codecs: Promise<CodecsModule> | undefined;

async function load(): Promise<CodecsModule> {
  const loaded = await importOptional("dcmjs-codecs", "Decoding compressed DICOM", () => import("dcmjs-codecs"));
  const module = (loaded as { default?: CodecsModule }).default ?? loaded;
  module.log.setLevel("silent");
  await module.NativeCodecs.initializeAsync();
  return module;
}

function readFragments({ file, fileBytes, offset }: DecodeTask): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, fileBytes - offset));
  const descriptor = openSync(file, "r");
  try {
    let got = 0;
    while (got < bytes.length) {
      const read = readSync(descriptor, bytes, got, bytes.length - got, offset + got);
      if (read === 0) break;
      got += read;
    }
    return joinFragments(bytes.subarray(0, got));
  } finally {
    closeSync(descriptor);
  }
}

async function decode(task: DecodeTask): Promise<DecodeReply> {
  let module: CodecsModule;
  try {
    codecs ??= load();
    module = await codecs;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { isMissing: code === "ERR_SINO_UNSUPPORTED", error: message };
  }
  try {
    const context = new module.Context({
      width: task.columns,
      height: task.rows,
      bitsAllocated: task.bitsAllocated,
      bitsStored: task.bitsStored,
      samplesPerPixel: 1,
      pixelRepresentation: task.signed ? 1 : 0,
      planarConfiguration: 0,
      photometricInterpretation: "MONOCHROME2",
      encodedBuffer: readFragments(task),
    });
    const decoded = module.NativeCodecs[`decode${task.codec}`](context).getDecodedBuffer();
    const expected = (task.rows * task.columns * task.bitsAllocated) / 8;
    if (!decoded || decoded.length !== expected)
      return { error: `decoding gave ${decoded?.length ?? 0} bytes instead of ${expected}` };
    return { pixels: decoded.slice().buffer as ArrayBuffer };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on("message", async (task: DecodeTask) => {
  const reply = await decode(task);
  parentPort?.postMessage(reply, reply.pixels ? [reply.pixels] : []);
});
