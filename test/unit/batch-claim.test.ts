/** Claims, seen from several holders in one process, and the gate that memory passes. */
import { readdirSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { Claims, readClaims } from "../../lib/batch/claim.ts";
import { Gate } from "../../lib/batch/gate.ts";
import { hasDied, thisProcess } from "../../lib/batch/machine.ts";
import { temporaryFolder } from "../support/files.ts";
import { testSuite } from "../support/suite.ts";

const test = testSuite("batch-claim");
const folder = temporaryFolder();
let count = 0;

async function holders(number: number, staleMs: number): Promise<{ where: string; all: Claims[] }> {
  const where = join(folder, String(++count));
  const all = Array.from({ length: number }, () => new Claims(where, staleMs));
  for (const each of all) await each.start();
  return { where, all };
}

test("only one of many gets a claim; after its release the next one does", async () => {
  const { where, all } = await holders(8, 60_000);
  const taken = await Promise.all(all.map((each) => each.take("job")));
  assert.is(taken.filter(Boolean).length, 1);
  const owner = all[taken.findIndex(Boolean)]!;
  assert.is((await readClaims(where)).get("job")!.pid, process.pid);
  await owner.release("job");
  assert.equal(readdirSync(where), []);
  const again = await Promise.all(all.map((each) => each.take("job")));
  assert.is(again.filter(Boolean).length, 1);
  for (const each of all) await each.stop();
});

test("a silent claim is taken over by exactly one, and its owner can tell", async () => {
  const { where, all } = await holders(6, 150);
  const [silent, ...others] = all;
  const claim = (await silent!.take("job"))!;
  silent!.pause(); // as if its process slept
  const winners: number[] = [];
  const until = performance.now() + 3000;
  await Promise.all(
    others.map(async (each, i) => {
      while (performance.now() < until && winners.length === 0) {
        if (await each.take("job")) winners.push(i);
        await sleep(5);
      }
    }),
  );
  assert.is(winners.length, 1);
  assert.not.ok(await claim.isMine());
  await silent!.release("job"); // must not take away what is not its own
  assert.is((await readClaims(where)).has("job"), true);
  await others[winners[0]!]!.release("job");
  assert.equal(readdirSync(where), []);
  for (const each of others) await each.stop();
});

test.skipUnless(thisProcess.machine, "the system does not tell who is dead")(
  "however claims of the dead, releases and new claims fall together, there is never more than one owner",
  async () => {
    const { where, all } = await holders(8, 60_000);
    const dead = { ...thisProcess, pid: 2 ** 22 + 1, id: "job", token: "x", beat: "0" };
    let owners = 0;
    let taken = 0;
    const work = async (each: Claims, turn: number) => {
      for (let i = 0; i < 150; i++) {
        const claim = await each.take("job");
        if (!claim) continue;
        taken++;
        assert.is(++owners, 1);
        await sleep(0);
        owners--;
        await each.release("job");
        if (i % 3 === turn % 3)
          await writeFile(join(where, "job.1.json"), JSON.stringify(dead), { flag: "wx" }).catch(() => 0);
      }
    };
    await Promise.all(all.map(work));
    assert.ok(taken > 50, `only ${taken} claims were taken`);
    for (const each of all) await each.stop();
  },
);

test("a claim that beats is never taken over", async () => {
  const { all } = await holders(2, 150);
  const claim = (await all[0]!.take("job"))!;
  const until = performance.now() + 900;
  while (performance.now() < until) {
    assert.is(await all[1]!.take("job"), undefined);
    await sleep(20);
  }
  assert.ok(await claim.isMine());
  for (const each of all) await each.stop();
});

test("a claim file that was removed does not come back with the heartbeat", async () => {
  const { where, all } = await holders(1, 120);
  const claim = (await all[0]!.take("job"))!;
  rmSync(join(where, "job.1.json"));
  await claim.beat();
  assert.equal(readdirSync(where), []);
  assert.not.ok(await claim.isMine());
  await all[0]!.stop();
});

test("who is dead is known by process and start, and only on this machine", () => {
  assert.not.ok(hasDied(thisProcess));
  if (thisProcess.machine === "") return; // this system does not tell
  assert.ok(hasDied({ ...thisProcess, pid: 2 ** 22 + 1 }));
  assert.ok(hasDied({ ...thisProcess, started: "1" }));
  assert.not.ok(hasDied({ ...thisProcess, pid: 2 ** 22 + 1, machine: "another" }));
});

test("a gate lets in what fits, in the order of asking, and what is too large alone", async () => {
  const gate = new Gate(10);
  const order: string[] = [];
  const shares = { a: { own: 6 }, b: { own: 50 }, c: { own: 1 } };
  const take = (name: keyof typeof shares) => gate.take(shares[name]).then(() => order.push(name));
  await take("a");
  const waiting = [take("b"), take("c")];
  await sleep(1);
  assert.equal(order, ["a"]);
  gate.give(shares.a);
  await waiting[0];
  assert.equal(order, ["a", "b"]);
  gate.give(shares.b);
  await waiting[1];
  assert.equal(order, ["a", "b", "c"]);
});

test("of what holders of a gate need in turn only the largest counts", async () => {
  const gate = new Gate(10);
  const first = { own: 2, inTurn: 5 };
  await gate.take(first);
  await gate.take({ own: 2, inTurn: 6 });
  let isIn = false;
  const third = gate.take({ own: 1, inTurn: 1 }).then(() => {
    isIn = true;
  });
  await sleep(1);
  assert.not.ok(isIn);
  gate.give(first);
  await third;
});

test.run();
