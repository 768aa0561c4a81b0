/** The physics of a scan as JSON: defaults, the examples, round trips, its hash, and mistakes told in words. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  fieldWaterCorrection,
  kVp120,
  parsePhysics,
  physicsHash,
  physicsJsonSchema,
  physicsToJson,
  readPhysics,
} from "../../lib/physics/index.ts";
import { assertRejects } from "../support/assert-close.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("physics file");
const root = join(import.meta.dirname, "../..");
const examples = join(root, "examples/physics");

test("every example is read, and says again what it said", async () => {
  for (const file of readdirSync(examples)) {
    const physics = await readPhysics(join(examples, file));
    const again = parsePhysics(JSON.parse(JSON.stringify(physicsToJson(physics))));
    assert.equal(physicsToJson(again), physicsToJson(physics), file);
    assert.is(physicsHash(again), physicsHash(physics));
    assert.is(`${physics.name}.json`, file);
  }
});

test("an empty object is the field's protocol, and so is its example", async () => {
  const physics = parsePhysics({});
  assert.is(physics.spectrum, kVp120);
  assert.is(physics.metal.material.name, "titanium");
  assert.equal([physics.metal.density, physics.metal.edge, physics.metal.tissue], [4.5, "div4", "kept"]);
  assert.equal([physics.photons, physics.scatter.photons, physics.dose], [2e7, 20, 1]);
  assert.is(physics.waterCorrection, fieldWaterCorrection);
  assert.is(physicsHash(physics), physicsHash(await readPhysics(join(examples, "syndeeplesion-ti.json"))));
});

test("the hash follows every value and no order of keys", () => {
  const a = parsePhysics({ photons: 1e5, crosstalk: 0.02 });
  assert.is(physicsHash(a), physicsHash(parsePhysics({ crosstalk: 0.02, name: "else", photons: 1e5 })));
  assert.is.not(physicsHash(a), physicsHash(parsePhysics({ photons: 1e5, crosstalk: 0.021 })));
  assert.is.not(physicsHash(parsePhysics({})), physicsHash(parsePhysics({ spectrum: "100kVp" })));
});

test("edge subray brings a finer grid, more rays and no tissue under metal", () => {
  const { metal, rays } = parsePhysics({ metal: { edge: "subray" } });
  assert.equal([metal.supersample, metal.tissue, rays.perBin], [3, "replaced", 3]);
});

test("mistakes are told in words", async () => {
  const refuse = async (json: unknown) =>
    (await assertRejects(() => parsePhysics(json, "P.json"), "ERR_SINO_IO_FORMAT")).message;
  assert.match(await refuse({ fotons: 1e5 }), /P\.json is not the physics of a scan.*Did you mean photons\?/);
  assert.match(await refuse({ metal: { material: "titanum" } }), /Did you mean titanium\?/);
  assert.match(await refuse({ metal: { density: -4.5 } }), /positive density/);
  assert.match(await refuse({ metal: { density: 0 } }), /positive density/);
  assert.match(await refuse({ spectrum: { energiesKeV: [], photons: [] } }), /at least one energy/);
  assert.match(await refuse({ spectrum: { energiesKeV: [60, 40], photons: [1, 1] } }), /rising energies/);
  assert.match(await refuse({ spectrum: { energiesKeV: [20_000, 60_000], photons: [1, 1] } }), /eV\? Divide by 1000/);
  assert.match(await refuse({ spectrum: "blue" }), /spectrum by voltage/);
  assert.match(await refuse({ spectrum: { kVp: 200 } }), /kVp from 40 to 150/);
  assert.match(await refuse({ photons: null, dose: 0.5 }), /needs photons/);
  assert.match(await refuse({ tissue: { lowHu: 2000 } }), /tissue\.highHu/);
  assert.match(await refuse({ metal: { edge: "soft" } }), /metal\.edge/);
  await refuse({ dose: 2 });
  await refuse([]);
  await assertRejects(() => readPhysics("/nowhere/P.json"), "ERR_SINO_IO");
  await assertRejects(() => readPhysics(join(root, "README.md")), "ERR_SINO_IO_FORMAT");
});

test("the published schema is the one that is checked", () => {
  const published = JSON.parse(readFileSync(join(root, "docs/physics.schema.json"), "utf8"));
  assert.equal(published, JSON.parse(JSON.stringify(physicsJsonSchema())));
});

test.run();
