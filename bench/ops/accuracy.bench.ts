/** How exact projection and FBP are against closed-form line integrals; test/math/accuracy.test.ts gates the same numbers. */
import { volume } from "../../lib/core/arrays.ts";
import { fbp } from "../../lib/tomography/fbp.ts";
import { fanBeam, fullScan, type Geometry, parallelBeam } from "../../lib/tomography/geometry.ts";
import { project } from "../../lib/tomography/project.ts";
import type { Route } from "../../lib/tomography/route.ts";
import { type Phantom, phantomImage, phantomSinogram, sheppLogan, smooth } from "../../test/oracle/phantoms.ts";
import { pixelCentre } from "../../test/oracle/rays.ts";
import { relativeError } from "../../test/support/assert-close.ts";

/** The geometries that the gates are stated for: N = 256, 512, 1024 with 360, 720, 1440 views. */
export function parallelOf(size: 256 | 512 | 1024): Geometry {
  const bins = { 256: 365, 512: 729, 1024: 1457 }[size];
  return parallelBeam({
    bins,
    binMm: 1,
    angles: { span: 180, count: (size / 256) * 360 },
    image: { shape: [size, size], pixelMm: 1 },
  });
}

export const fanFlatA: Geometry = fanBeam({
  detector: "flat",
  sod: 1024,
  sdd: 2048,
  bins: 641,
  binMm: 1.66,
  angles: fullScan(640),
  image: { shape: [512, 512], pixelMm: 1 },
});

export const fanFlatB: Geometry = fanBeam({
  detector: "flat",
  sod: 1024,
  sdd: 2048,
  bins: 736,
  binMm: 1.45,
  angles: fullScan(984),
  image: { shape: [512, 512], pixelMm: 1 },
});

export const fanArc: Geometry = fanBeam({
  detector: "arc",
  sod: 550,
  sdd: 950,
  bins: 900,
  binMm: 1,
  angles: fullScan(1000),
  image: { shape: [512, 512], pixelMm: 400 / 512 },
});

export const fanArcShort: Geometry = fanBeam({
  detector: "arc",
  sod: 550,
  sdd: 950,
  bins: 900,
  binMm: 1,
  angles: { span: 240, count: 800 },
  image: { shape: [512, 512], pixelMm: 400 / 512 },
});

export interface Accuracy {
  /** ‖A x − exact‖ / ‖exact‖ */
  projection: number;
  /** RMSE inside 0.95 of the half side, and PSNR on the phantom's range, of FBP from the exact sinogram. */
  fbpRmse: number;
  fbpPsnr: number;
}

/** `route` is that of FBP; projection goes the direct one. */
export async function accuracy(
  geometry: Geometry,
  kind: "shepp-logan" | "smooth",
  route: Route = "direct",
): Promise<Accuracy> {
  const { shape, pixelMm } = geometry.image;
  const radius = (shape[0] / 2) * pixelMm[0];
  // the fan detectors see a smaller circle than the image's: keep the phantom inside it
  const phantom: Phantom = kind === "smooth" ? smooth(radius * 0.95) : sheppLogan(radius);
  const image = phantomImage(phantom, geometry);
  const exact = phantomSinogram(phantom, geometry);
  const projected = await project(volume(image, shape), geometry);
  const reconstructed = await fbp(volume(exact, [geometry.angles.length, geometry.bins]), geometry, { route });
  let squares = 0;
  let count = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let r = 0; r < shape[0]; r++)
    for (let c = 0; c < shape[1]; c++) {
      const [x, y] = pixelCentre(geometry, r, c);
      const value = image[r * shape[1] + c]!;
      low = Math.min(low, value);
      high = Math.max(high, value);
      if (Math.hypot(x, y) > 0.95 * radius) continue;
      squares += (reconstructed.data[r * shape[1] + c]! - value) ** 2;
      count++;
    }
  const fbpRmse = Math.sqrt(squares / count);
  return {
    projection: relativeError(projected.data, exact),
    fbpRmse,
    fbpPsnr: 20 * Math.log10((high - low) / fbpRmse),
  };
}

if (import.meta.filename === process.argv[1]) {
  const rows: [string, Geometry, Route?][] = [
    ["parallel 256", parallelOf(256)],
    ["parallel 512", parallelOf(512)],
    ["fan flat A 512", fanFlatA],
    ["fan flat A 512, rebinned", fanFlatA, "rebinned"],
    ["fan flat B 512", fanFlatB],
    ["fan flat B 512, rebinned", fanFlatB, "rebinned"],
    ["fan arc 512", fanArc],
    ["fan arc 512, rebinned", fanArc, "rebinned"],
    ["fan arc short scan 512", fanArcShort],
    ["the same, rebinned", fanArcShort, "rebinned"],
  ];
  console.log("geometry                 phantom       projection   FBP RMSE   FBP PSNR");
  for (const [name, geometry, route] of rows)
    for (const kind of ["shepp-logan", "smooth"] as const) {
      const a = await accuracy(geometry, kind, route);
      console.log(
        `${name.padEnd(24)} ${kind.padEnd(12)}  ${a.projection.toExponential(2).padStart(9)}  ${a.fbpRmse.toExponential(3)}  ${a.fbpPsnr.toFixed(2)} dB`,
      );
    }
}
