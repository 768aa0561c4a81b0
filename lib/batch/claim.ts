/**
 * Who works on what, among processes and machines that share an output folder and nothing else.
 *
 * A claim is a file `<id>.<generation>.json`, made with O_EXCL: only one process can make it. Its owner writes a growing
 * number into it (the heartbeat). Who finds a claim that has not changed for `staleMs` of its own monotonic clock makes the file
 * of the next generation, again with O_EXCL, and is the owner from then on: the highest generation counts. No wall clock is
 * read, so clocks may differ and jump. On the same machine a dead owner is known by its process id, at once.
 *
 * An owner that was only asleep notices before it puts its results in place that a higher generation is there, and gives up; if
 * it does not notice in time, both write the same bytes, as results depend on inputs and configuration alone.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { type FileHandle, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ioError, makeFolder } from "../core/files.ts";
import { hasDied, type ProcessIdentity, thisProcess } from "./machine.ts";

export interface ClaimRecord extends ProcessIdentity {
  id: string;
  token: string;
  /** Grows with every heartbeat; as text of constant length, so that it can be written in place. */
  beat: string;
  /** Said by the process that leads a run, once it has prepared the folder. */
  isReady?: boolean;
}

interface Generation {
  generation: number;
  path: string;
}

const claimName = /^(.*)\.(\d+)\.json$/;

/** Claims of every id, lowest generation first. */
async function listClaims(folder: string): Promise<Map<string, Generation[]>> {
  const names = await readdir(folder).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw ioError("read", folder, error);
  });
  const claims = new Map<string, Generation[]>();
  for (const name of names) {
    const [, id, generation] = claimName.exec(name) ?? [];
    if (id === undefined) continue;
    claims.set(id, [...(claims.get(id) ?? []), { generation: Number(generation), path: join(folder, name) }]);
  }
  for (const list of claims.values()) list.sort((a, b) => a.generation - b.generation);
  return claims;
}

/** The ids that somebody claims now, dead or alive, with what the claims say. */
export async function readClaims(folder: string): Promise<Map<string, ClaimRecord | undefined>> {
  const result = new Map<string, ClaimRecord | undefined>();
  for (const [id, list] of await listClaims(folder)) {
    const text = await readFile(list.at(-1)!.path, "utf8").catch(() => undefined);
    if (text !== undefined) result.set(id, parse(text));
  }
  return result;
}

function parse(text: string): ClaimRecord | undefined {
  try {
    return JSON.parse(text) as ClaimRecord;
  } catch {
    return undefined; // being written, or its writer died in the middle
  }
}

const beatText = (beat: number): string => String(beat).padStart(9, "0");

/** A claim that this process holds. */
export class Claim {
  readonly token: string;
  readonly #folder: string;
  readonly #record: ClaimRecord;
  readonly #generation: Generation;
  #file: FileHandle | undefined;
  #beat = 0;

  constructor(folder: string, generation: Generation, record: ClaimRecord) {
    this.#folder = folder;
    this.#generation = generation;
    this.#record = record;
    this.token = record.token;
  }

  async beat(): Promise<void> {
    this.#record.beat = beatText(++this.#beat);
    // without O_CREAT: a claim that was taken away does not come back
    this.#file ??= await open(this.#generation.path, "r+").catch(() => undefined);
    await this.#file?.write(JSON.stringify(this.#record), 0).catch(() => undefined);
  }

  /** Adds to what the claim says. */
  async note(fields: Pick<ClaimRecord, "isReady">): Promise<void> {
    Object.assign(this.#record, fields);
    await this.beat();
  }

  /** False once somebody else has taken over. */
  async isMine(): Promise<boolean> {
    const list = (await listClaims(this.#folder)).get(this.#record.id);
    return list?.at(-1)?.generation === this.#generation.generation;
  }

  async release(): Promise<void> {
    const list = (await listClaims(this.#folder).catch(() => undefined))?.get(this.#record.id) ?? [];
    const mine = this.#generation.generation;
    for (const { generation, path } of list)
      if (generation <= mine) await rm(path, { force: true }).catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
  }
}

interface Sighting {
  signature: string;
  since: number;
}

/** Takes claims in one folder, and watches those of others. */
export class Claims {
  readonly #folder: string;
  readonly #staleMs: number;
  readonly #held = new Map<string, Claim>();
  readonly #seen = new Map<string, Sighting>();
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string, staleMs: number) {
    this.#folder = folder;
    this.#staleMs = staleMs;
  }

  /** Makes the folder and begins the heartbeat. Throws ERR_SINO_IO. */
  async start(): Promise<void> {
    await makeFolder(this.#folder);
    const beat = () => {
      for (const claim of this.#held.values()) void claim.beat();
    };
    this.#timer = setInterval(beat, Math.max(20, this.#staleMs / 6)).unref();
  }

  /** Shows no sign of life any more. */
  pause(): void {
    clearInterval(this.#timer);
  }

  /** Gives back everything that is still held. */
  async stop(): Promise<void> {
    this.pause();
    for (const id of [...this.#held.keys()]) await this.release(id);
  }

  /**
   * The claim on `id`, or undefined where somebody else has it. Calling again and again is how stale claims are found:
   * each call looks whether the owner's heartbeat has moved since the last one.
   */
  async take(id: string): Promise<Claim | undefined> {
    const list = (await listClaims(this.#folder)).get(id) ?? [];
    const observed = new Map<string, string | undefined>();
    for (const each of list) observed.set(each.path, await this.#signature(each));
    const last = list.at(-1);
    const signature = last && observed.get(last.path);
    if (last && signature === undefined) return this.take(id); // let go of just now
    if (signature !== undefined && !this.#isStale(id, signature)) return undefined;
    const claim = this.#create(id, (last?.generation ?? 0) + 1);
    if (!claim) return undefined;
    // Whoever held it may have woken and let go meanwhile, and a third one begun anew at a lower generation: of two that
    // make claims at once, the one that looks later sees the other and steps back (or both do).
    const after = (await listClaims(this.#folder)).get(id) ?? [];
    for (const rival of after) {
      if (rival.path === claim.generation.path) continue;
      const seen = observed.get(rival.path);
      if (seen !== undefined && (await this.#signature(rival)) === seen) continue;
      await rm(claim.generation.path, { force: true });
      return undefined;
    }
    this.#seen.delete(id);
    const held = new Claim(this.#folder, claim.generation, claim.record);
    this.#held.set(id, held);
    return held;
  }

  async release(id: string): Promise<void> {
    const claim = this.#held.get(id);
    this.#held.delete(id);
    await claim?.release();
  }

  #create(id: string, generation: number): { generation: Generation; record: ClaimRecord } | undefined {
    const path = join(this.#folder, `${id}.${generation}.json`);
    const record: ClaimRecord = { id, token: randomBytes(6).toString("hex"), beat: beatText(0), ...thisProcess };
    try {
      const file = openSync(path, "wx");
      try {
        writeSync(file, JSON.stringify(record)); // in the same breath, so that hardly ever an empty claim is left
      } finally {
        closeSync(file);
      }
      return { generation: { generation, path }, record };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
      throw ioError("write", path, error);
    }
  }

  /** Contents of a claim file; undefined where it has gone meanwhile. Opened anew each time: shared storage looks again then. */
  async #signature({ path }: Generation): Promise<string | undefined> {
    try {
      const file = await open(path, "r");
      try {
        const { mtimeMs } = await file.stat();
        return `${path} ${mtimeMs} ${await file.readFile("utf8")}`;
      } finally {
        await file.close();
      }
    } catch {
      return undefined;
    }
  }

  #isStale(id: string, signature: string): boolean {
    const record = parse(signature.slice(signature.indexOf("{")));
    if (record && hasDied(record)) return true;
    const now = performance.now();
    const seen = this.#seen.get(id);
    if (seen?.signature === signature) return now - seen.since > this.#staleMs;
    this.#seen.set(id, { signature, since: now });
    return false;
  }
}
