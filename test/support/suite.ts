/**
 * uvu, with two of its holes closed: a file that registers nothing fails, and every skip gives a reason that the
 * summary of `npm test` prints. `const test = testSuite("name"); test("does", fn); test.run();`
 */
import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { suite } from "uvu";

type Body = () => unknown | Promise<unknown>;

export interface TestSuite {
  (name: string, body: Body): void;
  /** Registers the test only where `condition` holds; otherwise counts it as skipped, for `reason`. */
  skipUnless(condition: unknown, reason: string): (name: string, body: Body) => void;
  run(): void;
}

export function testSuite(name: string): TestSuite {
  const inner = suite(name);
  const skipped: { name: string; reason: string }[] = [];
  let registered = 0;
  let passed = 0;

  const test = ((title: string, body: Body) => {
    registered++;
    inner(title, async () => {
      try {
        await body();
      } catch (error) {
        // uvu's printer takes `details` for a text of its own; our errors keep numbers there
        if (error instanceof Error && typeof (error as { details?: unknown }).details === "object")
          throw Object.assign(new Error(`${(error as { code?: string }).code}: ${error.message}`), {
            stack: error.stack,
          });
        throw error;
      }
      passed++;
    });
  }) as TestSuite;

  test.skipUnless = (condition, reason) => (title, body) => {
    if (condition) test(title, body);
    else skipped.push({ name: `${name} › ${title}`, reason });
  };

  test.run = () => {
    if (registered + skipped.length === 0) throw new Error(`Suite ${name} registered no test.`);
    process.on("exit", () => {
      if (passed < registered) process.exitCode ||= 1;
      const record = process.env["SINOGRAM_TEST_RECORD"];
      if (!record) {
        for (const skip of skipped) console.log(`skipped ${skip.name}: ${skip.reason}`);
        return;
      }
      const file = relative(process.cwd(), process.argv[1] ?? "");
      appendFileSync(
        record,
        `${JSON.stringify({ file, suite: name, passed, failed: registered - passed, skipped })}\n`,
      );
    });
    inner.run();
  };
  return test;
}
