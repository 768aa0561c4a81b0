/**
 * Features for a perceptual loss: what enters one convolution of a trained network, as an ONNX file for batches of one size, which is what
 * `"perceptual": { "model": "features.onnx" }` expects. Its input is in the network's own scale.
 *
 *     node --import tsx scripts/feature-maps.ts low-dose-ct --layer down.1.down --size 96 --batch 8 -o features.onnx
 */
import { parseArgs } from "node:util";
import { writeFileAtomic } from "../lib/core/files.ts";
import { loadTrained } from "../lib/models/index.ts";
import { modelFolder } from "../lib/models/shipped.ts";
import { activationModel } from "../lib/networks/index.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string", short: "o", default: "features.onnx" },
    layer: { type: "string", default: "down.1.down" },
    size: { type: "string", default: "96" },
    batch: { type: "string", default: "8" },
  },
});
const { network, weights } = await loadTrained(await modelFolder(positionals[0]!));
const side = Number(values.size);
const size = { batch: Number(values.batch), size: [side, side] };
await writeFileAtomic(values.output, activationModel(network, weights, size, values.layer));
