/** The field's protocol against a chain that takes its spectrum and attenuation from the field's own tables. */
import * as assert from "uvu/assert";
import { readMatArray } from "../../lib/data/mat5.ts";
import { simulateScan } from "../../lib/physics/index.ts";
import { readGeometry } from "../../lib/tomography/geometry-file.ts";
import { josephProject } from "../oracle/joseph.ts";
import { metalPathOracle, polychromaticOracle, tissueOracle } from "../oracle/polychromatic.ts";
import { noRealData, realData } from "../support/data.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("real simulation");
const spectrumFile = realData("tables/GE14Spectrum120KVP.mat");

/** Rows 20 to 120 keV of a column. */
async function column(name: string, index: number): Promise<number[]> {
  const { array } = await readMatArray(realData(`tables/${name}.mat`)!);
  const [, columns] = array.shape as [number, number];
  return Array.from({ length: 101 }, (_, i) => array.data[(i + 19) * columns + index] as number);
}
const reference = 70 - 20;

test.skipUnless(spectrumFile, noRealData)(
  "edge model div4 with the tables that the field's pairs were made with",
  async () => {
    const field = await readGeometry(
      new URL("../../examples/geometry/syndeeplesion-640.json", import.meta.url).pathname,
    );
    const geometry = { ...field, angles: field.angles.filter((_, i) => i % 160 === 40) };
    const { bins } = geometry;
    const [side] = geometry.image.shape;
    const ellipse = (x: number, y: number, a: number, b: number) =>
      Uint8Array.from({ length: side * side }, (_, i) =>
        Math.hypot(((i % side) - 207.5 - x) / a, (207.5 - Math.floor(i / side) - y) / b) < 1 ? 1 : 0,
      );
    const [body, bone, implant] = [ellipse(0, 0, 180, 120), ellipse(10, -70, 30, 24), ellipse(-50, 10, 14, 8)];
    const images = { data: Float32Array.from(body, (m, i) => (m ? (bone[i] ? 900 : 30) : -1000)), shape: [side, side] };
    const { sinogram, cleanSinogram, trace } = await simulateScan(images, {
      geometry,
      metalMask: { data: implant, shape: [side, side] },
      seed: 11,
    });

    const tissue = Array.from(images.data, (value) => tissueOracle(value, 0.0192, 100, 1500));
    const project = (values: ArrayLike<number>) => josephProject(Float32Array.from(values), geometry);
    const titanium = await column("MiuofTi", 6);
    const perMm = (4.5 * titanium[reference]!) / 10;
    const lengths = Array.from(project(implant));
    const lines = Array.from(geometry.angles, (_, v) =>
      metalPathOracle(lengths.slice(v * bins, (v + 1) * bins), perMm, true),
    );
    const layer = (massAttenuation: number[], paths: ArrayLike<number>) => ({
      massAttenuation,
      atReference: massAttenuation[reference]!,
      paths,
    });
    const layers = [
      layer(await column("MiuofH2O", 6), project(tissue.map(({ water }) => water))),
      layer(await column("MiuofBONE_Cortical_ICRU44", 6), project(tissue.map((t) => t.bone))),
      layer(
        titanium,
        lines.flatMap(({ paths }) => paths),
      ),
    ];
    const spectrum = await column("GE14Spectrum120KVP", 1);
    const expected = (count: number) =>
      polychromaticOracle(spectrum, layers.slice(0, count)).map(
        (p) => p * (0.80370341 + p * (0.02301414 - p * 0.0008444)),
      );
    const rms = (a: ArrayLike<number>, b: ArrayLike<number>, where: (i: number) => boolean) => {
      let [sum, count] = [0, 0];
      for (let i = 0; i < a.length; i++) if (where(i)) [sum, count] = [sum + (a[i]! - b[i]!) ** 2, count + 1];
      return Math.sqrt(sum / count);
    };
    // the noise of 2e7 photons alone is 5e-4
    const clean = rms(cleanSinogram!.data, expected(2), () => true);
    assert.ok(clean <= 7e-4, `metal-free rms ${clean}`);
    const metal = rms(sinogram.data, expected(3), (i) => trace!.data[i] === 1);
    assert.ok(metal <= 6e-3, `rms in the trace ${metal}`);
    const outside = rms(sinogram.data, expected(2), (i) => trace!.data[i] === 0);
    assert.ok(outside <= 7e-4, `rms outside the trace ${outside}`);
  },
);

test.run();
