/** The report: what it says, that it asks nobody for anything, and that a browser draws it. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decode } from "fast-png";
import * as assert from "uvu/assert";
import { volume } from "../../lib/core/arrays.ts";
import { chooseSlices, type ReportInput, writeReport } from "../../lib/report/report.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("report");
const [slices, rows, columns] = [3, 40, 60];
const pixels = rows * columns;
const before = Float32Array.from({ length: slices * pixels }, (_, i) => ((i * 37) % 1200) - 400);
const after = before.map((hu, i) => (i >= pixels && i < 2 * pixels ? hu + 100.4 : hu));
const metal = Uint8Array.from({ length: slices * pixels }, (_, i) => (i >= pixels + 5 && i < pixels + 12 ? 1 : 0));
const shape = [slices, rows, columns];
const input: ReportInput = {
  title: 'A <b>title</b> & "quotes"',
  layers: [
    { name: "Before", hu: volume(before, shape) },
    { name: "After", hu: volume(after, shape) },
  ],
  metal: volume(metal, shape),
  pixelMm: [0.8, 0.8],
  seconds: 1.5,
  facts: [["Path", "</script><script>alert(1)</script>"]],
  notes: ["a note"],
  warnings: ["careful"],
};

async function written(given: ReportInput): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  await writeReport(given, {}, async (name, ...chunks) => {
    files.set(name, Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string))));
  });
  return files;
}

const block = (html: string, id: string): string => new RegExp(`id="${id}">([^<]*)</script>`).exec(html)![1]!;

test("embeds the slices with metal, whole HU, as differences to the first layer", async () => {
  const html = (await written(input)).get("report.html")!.toString();
  const model = JSON.parse(block(html, "model"));
  assert.equal(model.slices, [1]);
  assert.equal(model.counts, [0, 7, 0]);
  const unpack = (id: string) => gunzipSync(Buffer.from(block(html, id), "base64"));
  const shown = unpack("s0l0");
  const change = unpack("s0l1");
  assert.is(shown.length, pixels * 2);
  for (const i of [0, 1, 777, pixels - 1]) {
    assert.is(shown.readInt16LE(i * 2), before[pixels + i]);
    assert.is(change.readInt16LE(i * 2), 100);
  }
  assert.is(
    unpack("s0m").reduce((sum, value) => sum + value, 0),
    7,
  );
});

test("tells metal, change and time per slice", async () => {
  const html = (await written(input)).get("report.html")!.toString();
  assert.match(html, /<td>7<\/td><td>100\.40<\/td><td>100<\/td><td>1\.500<\/td>/);
  assert.match(html, /The slice with metal is embedded here/);
  assert.match(html, /careful/);
});

test("escapes what it is told, and forbids requests", async () => {
  const html = (await written(input)).get("report.html")!.toString();
  assert.match(html, /A &lt;b&gt;title&lt;\/b&gt; &amp; &quot;quotes&quot;/);
  assert.not.match(html, /<script>alert/);
  assert.match(html, /default-src 'none'/);
  const script = /<script>([\s\S]*?)<\/script>/.exec(html)![1]!;
  assert.ok(html.includes(`'sha256-${createHash("sha256").update(script).digest("base64")}'`));
  assert.not.match(html.replaceAll("http://www.w3.org/2000/svg", ""), /https?:|\ssrc=|\shref=|@import|url\(/);
  assert.not.match(html, /\sstyle=|\son[a-z]+=/); // the policy would refuse them
});

test("pictures show the slice with the most metal through a window", async () => {
  const files = await written(input);
  assert.equal([...files.keys()].sort(), ["after.png", "before.png", "difference.png", "report.html"]);
  const [first, change] = ["before.png", "difference.png"].map((name) => decode(files.get(name)!));
  assert.equal([first!.width, first!.height, first!.depth], [columns, rows, 8]);
  const expected = Math.max(0, Math.min(255, ((before[pixels + 10]! + 160) / 400) * 255));
  assert.ok(Math.abs(first!.data[10]! - expected) <= 1);
  assert.ok(Math.abs(change!.data[10]! - ((100.4 + 200) / 400) * 255) <= 1);
});

test("chooses the slices with the most metal, in order", () => {
  assert.equal(chooseSlices([0, 5, 0, 9, 7, 1], 3), [1, 3, 4]);
  assert.equal(chooseSlices([0, 0, 0, 0], 3), [2]);
  assert.equal(chooseSlices([2, 2, 2], 2), [0, 1]);
});

test("says which slices are left out", async () => {
  const everywhere = volume(new Uint8Array(slices * pixels).fill(1), shape);
  const html = (await written({ ...input, metal: everywhere, maximumSlices: 2 })).get("report.html")!.toString();
  assert.match(html, /2 of the 3 slices with metal are embedded here/);
});

const browser = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0,
);

test.skipUnless(browser, "no Chromium on the path")("a browser draws it from a file", async () => {
  const folder = temporaryFolder();
  const page = join(folder, "report.html");
  writeFileSync(page, (await written(input)).get("report.html")!);
  const picture = join(folder, "shot.png");
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--window-size=1200,900"];
  const home = `--user-data-dir=${join(folder, "profile")}`;
  const dom = spawnSync(browser!, [...flags, home, "--dump-dom", `file://${page}`], {
    encoding: "utf8",
    timeout: 25_000,
  });
  assert.match(dom.stdout, /data-drawn="\d+"/, dom.stderr);
  assert.match(dom.stdout, /2 of 3/);
  spawnSync(browser!, [...flags, home, `--screenshot=${picture}`, `file://${page}`], { timeout: 25_000 });
  const { data, channels } = decode(readFileSync(picture));
  let bright = 0;
  for (let i = 0; i < data.length; i += channels)
    if (data[i]! > 240 && data[i + 1]! > 240 && data[i + 2]! > 240) bright++;
  assert.ok(bright > 10_000, `only ${bright} bright pixels`); // half the image is above the window
});

test.run();
