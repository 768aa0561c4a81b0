/** The list of codes is one list: in TypeScript, in C++, and as headings of docs/troubleshooting.md. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as assert from "uvu/assert";
import { errorCodes, isCodedError, SinogramError, show, sinoError } from "../../lib/core/errors.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("errors");
const root = resolve(import.meta.dirname, "../..");
const codes = Object.keys(errorCodes).sort();

test("every code has its heading, and every heading its code", () => {
  const text = readFileSync(join(root, "docs/troubleshooting.md"), "utf8");
  const headings = [...text.matchAll(/^## (ERR_\w+)$/gm)].map((match) => match[1]!).sort();
  assert.equal(headings, codes);
});

test("the codes of native code are among them", () => {
  const text = readFileSync(join(root, "native/core/error.h"), "utf8");
  const native = [...text.matchAll(/"(ERR_\w+)"/g)].map((match) => match[1]!);
  assert.ok(native.length > 5);
  for (const code of native) assert.ok(codes.includes(code), code);
});

test("classes follow the kind of mistake", () => {
  assert.instance(sinoError("ERR_SINO_ARG_TYPE", "x"), TypeError);
  assert.instance(sinoError("ERR_SINO_SHAPE", "x"), RangeError);
  const cause = new Error("deeper");
  const error = sinoError("ERR_SINO_IO", "x", { cause, details: { path: "p" } });
  assert.instance(error, SinogramError);
  assert.is(error.code, "ERR_SINO_IO");
  assert.is(error.cause, cause);
  assert.equal(error.details, { path: "p" });
  assert.ok(isCodedError(error) && isCodedError(sinoError("ERR_SINO_SHAPE", "x")));
  assert.not(isCodedError(new Error("plain")) || isCodedError({ code: "ERR_SINO_IO" }) || isCodedError(undefined));
});

test("values read shortly in messages", () => {
  assert.is(show(new Float32Array(1000)), "Float32Array of length 1000");
  assert.is(show([1, [2, "a"]]), '[1, [2, "a"]]');
  assert.is(show(null), "null");
  assert.ok(show("x".repeat(1000)).length < 80);
  assert.ok(show(Array.from({ length: 1000 }, () => 1)).length < 80);
});

test.run();
