import { closeSync, openSync, readSync } from 'node:fs';
import { appendFile, mkdir, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { withFaults } from './faults.ts';

/** What is kept in memory before it goes into a file of its own. */
const MEMORY_BYTES = 16 * 1024 * 1024;
const PIECE = 1024 * 1024;

/** Bytes on their way to a commit: in memory as long as they are few. */
export class Spool {
  readonly #path: string;
  readonly #folder: string;
  #pieces: Buffer[] = [];
  #inMemory = 0;
  /** Bytes in the file. */
  #inFile = 0;
  readonly #pack: (bytes: Buffer) => Promise<Buffer>;

  /** @param pack what is done to the bytes before they are written: one member or frame of compressed data at a time */
  constructor(folder: string, pack: (bytes: Buffer) => Promise<Buffer>) {
    this.#pack = pack;
    this.#folder = join(folder, '.trueup');
    this.#path = join(this.#folder, `spool-${randomUUID()}`);
  }

  get size(): number {
    return this.#inMemory + this.#inFile;
  }

  async add(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#inMemory += bytes.length;
    if (this.#inMemory > MEMORY_BYTES) await this.#spill();
  }

  /** Packs what is left in memory. Nothing is added after it. */
  async end(): Promise<void> {
    if (this.#inMemory === 0) return;
    const bytes = await this.#pack(Buffer.concat(this.#pieces));
    [this.#pieces, this.#inMemory] = [[bytes], bytes.length];
  }

  async #spill(): Promise<void> {
    const bytes = await this.#pack(Buffer.concat(this.#pieces));
    await withFaults(this.#path, async () => {
      await mkdir(this.#folder, { recursive: true });
      await appendFile(this.#path, bytes);
      this.#inFile = (await stat(this.#path)).size;
    });
    [this.#pieces, this.#inMemory] = [[], 0];
  }

  /** In order. */
  *pieces(): Generator<Buffer> {
    if (this.#inFile > 0) {
      const handle = openSync(this.#path, 'r');
      try {
        for (let at = 0; at < this.#inFile;) {
          const buffer = Buffer.alloc(Math.min(PIECE, this.#inFile - at));
          const read = readSync(handle, buffer, 0, buffer.length, at);
          if (read === 0) break;
          yield buffer.subarray(0, read);
          at += read;
        }
      } finally {
        closeSync(handle);
      }
    }
    yield* this.#pieces;
  }

  async drop(): Promise<void> {
    [this.#pieces, this.#inMemory] = [[], 0];
    if (this.#inFile > 0) await rm(this.#path, { force: true });
    this.#inFile = 0;
  }
}
