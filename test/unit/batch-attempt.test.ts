/** One job, with a lane that does what the test wants: what is recorded, and what is left to others. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { attempt } from "../../lib/batch/attempt.ts";
import { Claims } from "../../lib/batch/claim.ts";
import type { PlannedJob } from "../../lib/batch/job.ts";
import type { Lane } from "../../lib/batch/lane.ts";
import { claimsFolder, stageOf } from "../../lib/batch/layout.ts";
import { sinoError } from "../../lib/core/errors.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-attempt");
const out = temporaryFolder();
const claims = new Claims(claimsFolder(out), 60_000);
const controller = new AbortController();
const context = {
  out,
  claims,
  device: "auto" as const,
  signal: controller.signal,
  hasLeftovers: () => false,
  onStart: () => undefined,
};
const jobOf = (id: string): PlannedJob => ({
  id,
  task: "mar",
  input: join(out, "absent"),
  output: id,
  target: join(out, id),
  options: {},
  configHash: "c",
});
const laneThat = (run: Lane["run"]) => ({ run }) as unknown as Lane;

test("a failure is recorded, and known to whoever comes next", async () => {
  await claims.start();
  const lane = laneThat(() => Promise.reject(sinoError("ERR_SINO_IO_FORMAT", "It is damaged.")));
  const outcome = await attempt(jobOf("bad"), lane, context);
  assert.equal(outcome, { kind: "failed", failure: { code: "ERR_SINO_IO_FORMAT", message: "It is damaged." } });
  assert.ok(existsSync(join(out, "bad", "failed.json")));
  const again = await attempt(
    jobOf("bad"),
    laneThat(() => assert.unreachable() as never),
    context,
  );
  assert.is(again.kind, "failed");
});

test("who was taken over records nothing and takes nothing away, whatever it failed of", async () => {
  const successor = "bbbbbbbbbbbb";
  const target = join(out, "asleep");
  const lane = laneThat(async (_job, token, _device, mayCommit) => {
    mkdirSync(stageOf(target, token), { recursive: true });
    mkdirSync(stageOf(target, successor), { recursive: true });
    writeFileSync(join(claimsFolder(out), "asleep.2.json"), "{}");
    await mayCommit().then(
      () => assert.unreachable("it may commit"),
      (error) => assert.match(error.message, /taken over/),
    );
    throw sinoError("ERR_SINO_IO", "Its folder is gone.");
  });
  assert.is((await attempt(jobOf("asleep"), lane, context)).kind, "contested");
  assert.not.ok(existsSync(target));
  assert.ok(existsSync(stageOf(target, successor)));
  assert.ok(existsSync(join(claimsFolder(out), "asleep.2.json")));
  assert.not.ok(existsSync(join(claimsFolder(out), "asleep.1.json")));
});

test("a full disk and an abort are no fault of the job", async () => {
  const full = sinoError("ERR_SINO_IO", "The disk is full.", { details: { errno: "ENOSPC" } });
  const thrown = await attempt(
    jobOf("full"),
    laneThat(() => Promise.reject(full)),
    context,
  ).catch((error) => error);
  assert.is(thrown, full);
  assert.not.ok(existsSync(join(out, "full")));
  const lane = laneThat(async () => {
    controller.abort("why");
    throw controller.signal.reason;
  });
  assert.is(await attempt(jobOf("stopped"), lane, context).catch((error) => error), "why");
  assert.not.ok(existsSync(join(out, "stopped")));
  await claims.stop();
});

test.run();
