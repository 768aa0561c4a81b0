/** `sinogram super-resolve`: twice as many rows and columns, by a trained network or interpolated. */
import { sinoError } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { restorationModel } from "../models/index.ts";
import { isConditional } from "../models/trained.ts";
import { enlarge, standardized, superResolve as superResolveByNetwork } from "../restore/super-resolve.ts";
import { type Command, jobOptions, quietly, type Run } from "./command.ts";
import { explained } from "./explained.ts";
import { UsageError } from "./failure.ts";
import { checkFits, int8, type Made, type RestoredOptions, restored, type Source } from "./restored.ts";

export interface SuperResolveOptions extends RestoredOptions {
  method: "network" | "lanczos" | "bicubic";
  model?: string;
  factor?: number;
}

export function superResolve(input: string, given: SuperResolveOptions): Command {
  return (run) => {
    const { method, model, factor } = given;
    if (method === "network" && factor !== undefined)
      throw new UsageError("--factor is for lanczos and bicubic; a network has its own.");
    if (method !== "network" && model !== undefined)
      throw new UsageError(`--model is for --method network; ${method} has none.`);
    const make = (source: Source) => made(source, given, run);
    return restored(input, given, { command: "super-resolve", title: "Super-resolution", make, isLarger: true }, run);
  };
}

async function made(source: Source, given: SuperResolveOptions, run: Run): Promise<Made> {
  const { images } = source;
  const { method, factor = 2 } = given;
  if (method === "network") {
    const model = await restorationModel(given.model ?? "super-resolve-2", { precision: given.precision });
    await checkFits(model, source, run);
    const { name, weightsSha256, licence } = model;
    if (isConditional(model.trained))
      throw sinoError(
        "ERR_SINO_MODEL",
        `${name} draws out of noise; super-resolve takes networks that answer in one run.`,
      );
    const large = await superResolveByNetwork(images, model, { ...jobOptions(run), threads: run.options.threads });
    const before = await enlarge(images, { ...quietly(run), factor: model.factor, method: "cubic" });
    const seen = given.explain ? await standardized(before, quietly(run)) : undefined;
    const why = seen && (await explained({ before, after: large, model, seen, modality: source.modality }, run));
    return {
      images: large,
      before,
      ...(why && { explained: why.explained }),
      description: `Super-resolution, ${name}`.slice(0, 40),
      derivation: `Enlarged ${model.factor} times by sinogram ${version} with the network ${name}.`,
      configuration: {
        operation: "super-resolve",
        version,
        method,
        model: name,
        weightsSha256,
        factor: model.factor,
        ...int8(given),
      },
      facts: [
        ["Method", `network ${name}`],
        ["Factor", String(model.factor)],
        ...(model.isConsistent ? ([["Made coarser again", "shows the given image"]] as const) : []),
        ...(licence ? ([["Licence of the model", licence]] as const) : []),
        ...(why?.facts ?? []),
      ],
      notes: [
        "Before is the bicubic interpolation. What a network adds is what such images have, not what was measured.",
        ...(why?.notes ?? []),
      ],
    };
  }
  if (given.precision === "int8") throw new UsageError("--precision int8 is for --method network.");
  if (given.explain) throw new UsageError("--explain is for --method network; interpolation adds nothing.");
  const kernel = method === "bicubic" ? "cubic" : "lanczos";
  return {
    images: await enlarge(images, { ...quietly(run), factor, method: kernel }),
    before: await enlarge(images, { ...quietly(run), factor, method: "cubic" }),
    description: `Enlarged, ${method}`,
    derivation: `Enlarged ${factor} times by sinogram ${version}, ${method}.`,
    configuration: { operation: "super-resolve", version, method, factor },
    facts: [
      ["Method", method],
      ["Factor", String(factor)],
    ],
    notes: ["Before is the bicubic interpolation."],
  };
}
