/** The comparison with peers must not flatter anyone: who is timed, in which order, and what a ratio is. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { agreement } from "../../bench/compare/agreement.ts";
import type { Case, Peer } from "../../bench/compare/cases.ts";
import type { Contender } from "../../bench/compare/contender.ts";
import type { Inputs } from "../../bench/compare/inputs.ts";
import type { Request } from "../../bench/compare/protocol.ts";
import { putRow, type Row } from "../../bench/compare/results.ts";
import { median, spreadOf } from "../../bench/compare/statistics.ts";
import { type Effort, type Entry, measure, Predictions } from "../../bench/compare/turns.ts";
import { volume } from "../../lib/core/arrays.ts";
import { writeNpy } from "../../lib/data/npy.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("bench/compare");

test("medians and quartiles", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 2, 3]), 2.5);
  assert.equal(spreadOf([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4, samples: 5 });
});

test("agreement tells a scale from a shift, and looks only where it was told to", () => {
  const b = Float32Array.from({ length: 64 }, (_, i) => 1 + (i % 8));
  const twice = b.map((v) => 2 * v);
  assert.equal(agreement(b, b, [8, 8], "all"), { relativeL2: 0, scale: 1 });
  assert.is(agreement(twice, b, [8, 8], "all").relativeL2, 1);
  assert.is(agreement(twice, b, [8, 8], "all").scale, 0.5);
  const corner = b.slice();
  corner[0] = 1e6;
  assert.is(agreement(corner, b, [8, 8], "disc").relativeL2, 0);
  assert.ok(agreement(corner, b, [8, 8], "all").relativeL2 > 1e3);
  assert.throws(() => agreement(b, new Float32Array(63), [8, 8], "all"), /64 and 63/);
});

/** A contender that answers at once: `result` is what it computes, `ms` what it claims a call took. */
function fake(name: string, result: (slice: number) => number, ms: () => number, calls: string[]): Contender {
  const ask = async (request: Request) => {
    if (request.do === "save") {
      const data = Float32Array.from({ length: 32 }, (_, i) => result(i >> 4) * (1 + i));
      await writeNpy(request.output, volume(data, [2, 4, 4]));
    }
    return {};
  };
  const run = async () => {
    calls.push(name);
    const wall = ms();
    return { wall: [wall], cpu: [wall] };
  };
  return { ask, run } as unknown as Contender;
}

const item: Case = {
  id: "case",
  table: "table",
  operation: "fbp",
  data: {},
  slices: 2,
  input: async () => undefined,
  work: 1,
  unit: "GUPS",
  large: false,
  peers: [],
};
const peer = (name: string, bound: number): Peer => ({ name, module: name, operation: "fbp", bound });
const effort: Effort = { seconds: 0, leastTurns: 4, mostTurns: 4, limit: 10 };
const inputs = { folder: temporaryFolder() } as Inputs;

test("a peer whose result differs is named and not timed", async () => {
  const calls: string[] = [];
  const entries: Entry[] = [
    {
      peer: undefined,
      contender: fake(
        "ours",
        () => 1,
        () => 40,
        calls,
      ),
    },
    {
      peer: peer("right", 1e-3),
      contender: fake(
        "right",
        () => 1.0005,
        () => 80,
        calls,
      ),
    },
    {
      peer: peer("one slice wrong", 1e-3),
      contender: fake(
        "wrong",
        (slice) => 1 + 0.01 * slice,
        () => 1,
        calls,
      ),
    },
  ];
  const [ours, right, wrong] = await measure(item, entries, inputs, effort, new Predictions());
  assert.is(wrong!.skipped, "its result differs");
  assert.is(wrong!.wall, undefined);
  assert.is(calls.includes("wrong"), false);
  assert.is(ours!.wall!.median, 40);
  assert.is(right!.ratio!.median, 2);
  assert.is(ours!.ratio, undefined);
});

test("turns alternate their order, and a ratio compares the two times of one turn", async () => {
  const calls: string[] = [];
  let turn = 0;
  const ours = fake(
    "ours",
    () => 1,
    () => 40 + 10 * turn++,
    calls,
  ); // a machine that slows down
  let theirTurn = 0;
  const theirs = fake(
    "theirs",
    () => 1,
    () => 3 * (40 + 10 * theirTurn++),
    calls,
  );
  const entries: Entry[] = [
    { peer: undefined, contender: ours },
    { peer: peer("theirs", 1e-3), contender: theirs },
  ];
  const [, measured] = await measure(item, entries, inputs, effort, new Predictions());
  assert.equal(calls.slice(2), ["ours", "theirs", "theirs", "ours", "ours", "theirs", "theirs", "ours"]);
  assert.equal(measured!.ratio, { median: 3, low: 3, high: 3, samples: 4 });
});

test("a peer that would take too long is left out by what it took before, and we never are", async () => {
  const calls: string[] = [];
  const predictions = new Predictions();
  predictions.learn(item, "slow", 60_000);
  predictions.learn(item, "sinogram", 60_000);
  const entries: Entry[] = [
    {
      peer: undefined,
      contender: fake(
        "ours",
        () => 1,
        () => 40,
        calls,
      ),
    },
    {
      peer: peer("slow", 1),
      contender: fake(
        "slow",
        () => 1,
        () => 40,
        calls,
      ),
    },
  ];
  const [ours, slow] = await measure(item, entries, inputs, effort, predictions);
  assert.is(slow!.skipped, "a call would take about 60 s");
  assert.is(ours!.wall!.samples, 4);
});

test("a row measured again replaces its older self, and the file is whole at any time", () => {
  const path = join(temporaryFolder(), "deep", "results.json");
  const row = { id: "a", threads: 1, work: 1 } as unknown as Row;
  const results = { machine: {} as never, versions: {}, rows: [] };
  putRow(results, row, path);
  putRow(results, { ...row, threads: 2 }, path);
  putRow(results, { ...row, work: 2 }, path);
  const rows = JSON.parse(readFileSync(path, "utf8")).rows as Row[];
  assert.equal(
    rows.map(({ threads, work }) => [threads, work]),
    [
      [1, 2],
      [2, 1],
    ],
  );
  assert.is(existsSync(`${path}.part`), false);
});

test.run();
