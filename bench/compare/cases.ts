/** What is compared: every operation with its inputs, its peers, and how near their results must be to ours before time is taken. */
import type { Region } from "./agreement.ts";
import type { Inputs } from "./inputs.ts";
import type { CaseData } from "./protocol.ts";
import { flatFanScan, parallelScan, type Scan, updatesOf } from "./scans.ts";

export interface Peer {
  name: string;
  /** A file of bench/python/peers and its operation, or "ours" and "operation:route". */
  module: string;
  operation: string;
  /** Largest relative L2 distance to our result; a peer beyond it is not timed. */
  bound: number;
  region?: Region;
}

export interface Case {
  /** Also what --only looks into. */
  id: string;
  /** Headline of the table it belongs to. */
  table: string;
  operation: "project" | "transpose" | "backproject" | "fbp" | "sirt" | "cgls" | "sart" | "distance" | "read-series";
  data: CaseData;
  slices: number;
  input: (inputs: Inputs) => Promise<string | undefined>;
  /** What the result should be, where that is known in closed form. */
  truth?: (inputs: Inputs) => Promise<string>;
  /** Pixel-view updates, pixels or slices, for all slices: rates and predictions come from it. */
  work: number;
  unit: "GUPS" | "Mpx/s" | "slices/s";
  /** Left out by --quick. */
  large: boolean;
  peers: readonly Peer[];
}

// The bounds hold for the smooth phantom. Two discretisations of one operator differ there by 1e-4 to 1e-3; half a pixel of shift,
// a mirrored axis, a lost factor or a missing slice are 1e-2 and more.
const joseph = 2e-4; // the same method: what remains is float32 and the last bin
const sameOperator = 2e-3;
const otherBackprojector = 3e-2; // every ray-driven back-projection has a pattern of its own, which FBP keeps
const exact = 1e-5;

const astra = (kind: string, operation: string, bound: number): Peer => ({
  name: `ASTRA ${kind}`,
  module: "astra_toolbox",
  operation: `${operation}:${kind}`,
  bound,
});
const finufft = (operation: string): Peer => ({
  name: "FINUFFT central slice",
  module: "finufft_slice",
  operation,
  bound: sameOperator,
  region: operation === "project" ? "all" : "disc",
});

/** Our own second route: held to the direct one as everybody else is. */
const fourier = (operation: string): Peer => ({
  ...finufft(operation),
  name: "sinogram, Fourier",
  module: "ours",
  operation: `${operation}:fourier`,
});

/** Peers by operation, for a detector that sees the whole square. */
const widePeers: Record<string, readonly Peer[]> = {
  project: [
    astra("linear", "project", joseph),
    astra("line", "project", sameOperator),
    finufft("project"),
    fourier("project"),
  ],
  transpose: [
    astra("linear", "transpose", joseph),
    astra("line", "transpose", otherBackprojector),
    { ...fourier("transpose"), bound: otherBackprojector },
  ],
  backproject: [finufft("backproject"), astra("strip", "transpose", sameOperator)],
  fbp: [
    astra("linear", "fbp", otherBackprojector),
    astra("line", "fbp", otherBackprojector),
    astra("strip", "fbp", otherBackprojector),
    finufft("fbp"),
    fourier("fbp"),
  ],
};

const tomographyOperations = ["project", "transpose", "backproject", "fbp"] as const;
type TomographyOperation = (typeof tomographyOperations)[number];

function onScan(id: string, table: string, operation: TomographyOperation, scan: Scan, slices: number): Case {
  const fromImage = operation === "project";
  return {
    id: `${id}/${operation}/x${slices}`,
    table,
    operation,
    data: { ...scan, slice: fromImage ? [scan.size, scan.size] : [scan.angles.length, scan.bins] },
    slices,
    input: (inputs) => (fromImage ? inputs.images(scan, slices) : inputs.sinograms(scan, slices)),
    ...(fromImage ? { truth: (inputs: Inputs) => inputs.sinograms(scan, slices) } : {}),
    ...(operation === "fbp" ? { truth: (inputs: Inputs) => inputs.images(scan, slices) } : {}),
    work: updatesOf(scan) * slices,
    unit: "GUPS",
    large: scan.size > 512 || (slices > 1 && scan.size > 256),
    peers: [],
  };
}

function parallelCases(): Case[] {
  const cases: Case[] = [];
  for (const size of [256, 512, 1024])
    for (const slices of [1, 16]) {
      const views = (size * 360) / 256;
      const wide = parallelScan(size);
      const narrow = parallelScan(size, views, size);
      for (const operation of tomographyOperations)
        cases.push({
          ...onScan(
            `parallel-${size}`,
            `parallel beam, ${size}², ${views} views × ${wide.bins} bins`,
            operation,
            wide,
            slices,
          ),
          peers: widePeers[operation]!,
        });
      for (const operation of ["project", "backproject", "fbp"] as const) {
        const region = operation === "project" ? "all" : "disc";
        const table = `parallel beam, ${size}², ${views} views × ${size} bins`;
        cases.push({
          ...onScan(`torch-${size}`, table, operation, narrow, slices),
          peers: [{ name: "PyTorch grid_sample", module: "torch_rotate", operation, bound: sameOperator, region }],
        });
        cases.push({
          ...onScan(`skimage-${size}`, table, operation, { ...narrow, axis: "pixel" }, slices),
          peers: [{ name: "scikit-image", module: "scikit_image", operation, bound: sameOperator, region }],
        });
      }
    }
  return cases;
}

function fanCases(): Case[] {
  const scan = flatFanScan();
  return [1, 16].flatMap((slices) =>
    (["project", "transpose", "fbp"] as const).map((operation) => ({
      ...onScan("fan-512", "flat fan, 512², 640 views × 641 bins", operation, scan, slices),
      // ASTRA has no fan FBP on the CPU; its only linear projector for fans is the ray-length one.
      peers:
        operation === "fbp"
          ? []
          : [astra("line", operation, operation === "project" ? sameOperator : otherBackprojector)],
    })),
  );
}

function distanceCases(): Case[] {
  const kinds = [
    ["sparse", [512, 512]],
    ["inside", [512, 512]],
    ["dense", [512, 512]],
    ["sparse", [256, 256, 256]],
  ] as const;
  return kinds.map(([kind, shape]) => ({
    id: `distance-${shape.join("x")}/${kind}`,
    table: "exact Euclidean distance",
    operation: "distance",
    data: { slice: [...shape] },
    slices: 1,
    input: (inputs) => inputs.mask(shape, kind),
    work: shape.reduce((product, n) => product * n, 1),
    unit: "Mpx/s",
    large: shape.length === 3,
    peers: ["scipy", "edt", ...(shape.length === 2 ? ["OpenCV"] : [])].map((name) => ({
      name,
      module: "distance",
      operation: `distance:${name.toLowerCase()}`,
      bound: exact,
    })),
  }));
}

function dicomCases(): Case[] {
  const slices = 200;
  return [
    {
      id: "dicom/read-series",
      table: "DICOM series to HU, 200 slices of 512², page cache",
      operation: "read-series",
      data: { slice: [slices, 512, 512] },
      slices,
      input: async () => undefined,
      work: slices,
      unit: "slices/s",
      large: false,
      peers: [{ name: "pydicom", module: "dicom", operation: "read-series", bound: 0 }],
    },
  ];
}

/** The same iterations of the same method, from zero. */
function iterativeCases(): Case[] {
  return [256, 512].flatMap((size) => {
    const scan = parallelScan(size);
    const views = scan.angles.length;
    const one = (operation: "sirt" | "cgls", iterations: number): Case => {
      const table = `iterative, parallel beam, ${size}², ${views} views × ${scan.bins} bins`;
      const item = onScan(`iterative-${size}`, table, "fbp", scan, 1);
      return {
        ...item,
        id: `iterative-${size}/${operation}/${iterations}`,
        operation,
        data: { ...item.data, iterations },
        work: 2 * iterations * updatesOf(scan),
        // conjugate directions lose digits, differently in either program: 5e-3 after ten
        peers: [
          astra("linear", operation, operation === "cgls" ? otherBackprojector : sameOperator),
          { ...fourier(operation), bound: otherBackprojector },
        ],
      };
    };
    const narrow: Scan = { ...parallelScan(size, views, size), axis: "pixel" };
    const table = `iterative, parallel beam, ${size}², ${views} views × ${size} bins`;
    const sart = onScan(`iterative-${size}`, table, "fbp", narrow, 1);
    return [
      one("sirt", 10),
      one("cgls", 10),
      {
        ...sart,
        id: `iterative-${size}/sart/1`,
        operation: "sart",
        data: { ...sart.data, iterations: 1, relaxation: 0.15 },
        work: 2 * updatesOf(scan),
        // its views come in another order and its rays are weighted by a Hamming window: another path to the same image
        peers: [{ name: "scikit-image", module: "scikit_image", operation: "sart", bound: 0.1, region: "disc" }],
      } as Case,
    ];
  });
}

/** Cost as size, views and slices grow: projection and FBP, with the peers that can follow. */
function growthCases(): Case[] {
  const cases: Case[] = [];
  const add = (kind: string, at: number, scan: Scan, slices: number, large: boolean) => {
    // The pattern of ray-driven back-projection averages out over hundreds of views, not over a few.
    const fewViews = scan.angles.length < 256;
    for (const operation of ["project", "fbp"] as const) {
      const linear = widePeers[operation]![0]!;
      cases.push({
        ...onScan(`growth-${kind}-${at}`, `growth of ${operation} with ${kind}`, operation, scan, slices),
        large,
        peers: [fewViews ? { ...linear, bound: 0.2 } : linear, finufft(operation), fourier(operation)],
      });
    }
  };
  for (const size of [256, 512, 1024, 2048]) add("size", size, parallelScan(size), 1, size > 512);
  for (const views of [1, 4, 16, 64, 256, 1024, 4096]) add("views", views, parallelScan(512, views), 1, views > 256);
  for (const slices of [1, 4, 16, 64, 256]) add("slices", slices, parallelScan(512), slices, slices > 4);
  return cases;
}

export const cases: readonly Case[] = [
  ...parallelCases(),
  ...fanCases(),
  ...iterativeCases(),
  ...distanceCases(),
  ...dicomCases(),
  ...growthCases(),
];
