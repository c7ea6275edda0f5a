import { OP } from '../../../src/sdk.ts';
import type { Records, Row } from '../../../src/sdk.ts';
import type { Slabs } from '../copy/slabs.ts';
import { wireRecords } from '../copy/rows.ts';
import { createRowStore } from './row-store.ts';
import type { RowStore } from './row-store.ts';
import type { Tuple } from './tuple.ts';
import type { WireKey, WireTable } from './wire-table.ts';

/*
 * Changes of one stream whose new rows stay bytes. At the end of each transaction its changes are folded into those before: of a key the last change counts, so
 * the rows that are handed over hold each key once, and no op but upsert. All other changes, and what a patch makes of such a row, are cells.
 */

/** What the changes up to a place amount to. The two never hold the same key. */
export interface Folded {
  /** Deletes, patches, touches, a truncate. */
  readonly rows: Row[];
  readonly ops: number[];
  /** New rows; `null`: none. */
  readonly records: Records | null;
  /** Changes that were folded into others. */
  readonly coalesced: number;
}

export interface WirePart {
  /** A new row, out of the tuple of a message. */
  addRow(key: WireKey, bytes: Buffer, tuple: Tuple, room: number): void;
  /** @param key `null` for a truncate */
  addCells(key: WireKey | null, op: number, row: Row): void;
  /** Folds everything into what came before. */
  fold(): void;
  /** What was folded. The rest stays. */
  take(): Folded;
}

const DEAD = 255;

export function createWirePart(table: WireTable, slabs: Slabs): WirePart {
  const { form, reading } = table;
  const ops: number[] = [];
  const keys: (WireKey | null)[] = [];
  /** `null`: the row lies in the store. */
  const cells: (Row | null)[] = [];
  const places = { slab: [] as number[], start: [] as number[], end: [] as number[] };
  /** The last change of each key among those that were folded. */
  const latest = new Map<WireKey, number>();
  let store = createRowStore(slabs, form);
  let folded = 0;
  let coalesced = 0;

  const note = (op: number, key: WireKey | null, row: Row | null): void => {
    ops.push(op);
    keys.push(key);
    cells.push(row);
    const { slab, start, end } = store.last;
    places.slab.push(row === null ? slab : -1);
    places.start.push(start);
    places.end.push(end);
  };
  const kill = (index: number): void => {
    ops[index] = DEAD;
    cells[index] = null;
    places.slab[index] = -1;
    coalesced += 1;
  };
  const bytesAt = (index: number): Buffer =>
    (store.slabs[places.slab[index] as number] as Buffer).subarray(places.start[index], places.end[index]);
  const cellsAt = (index: number): Row => cells[index] ?? (wireRecords(reading, [bytesAt(index)], { count: 1, bytes: 0 }).rows()[0] as Row);

  /** A patch of what this batch writes changes that; one of what it deletes or looks up has nothing to go by. */
  const foldPatch = (index: number, before: number): void => {
    const op = ops[before] as number;
    const patch = cells[index] as Row;
    if (op === OP.delete || op === OP.touch) ops[index] = OP.touch;
    else {
      const earlier = cellsAt(before);
      ops[index] = op;
      cells[index] = patch.map((cell, field) => (cell === undefined ? earlier[field] : cell));
    }
  };
  const foldOne = (index: number): void => {
    const key = keys[index] as WireKey | null;
    if (key === null) {
      for (let before = 0; before < index; before += 1) if (ops[before] !== DEAD) kill(before);
      latest.clear();
      return;
    }
    const before = latest.get(key);
    if (before !== undefined) {
      if (ops[index] === OP.patch) foldPatch(index, before);
      kill(before);
    }
    latest.set(key, index);
  };
  /** What was not folded yet goes on in a store of its own. */
  const moveRest = (from: number): RowStore => {
    const next = createRowStore(slabs, form);
    for (let index = from; index < ops.length; index += 1) {
      if (places.slab[index] === -1) continue;
      next.copy(bytesAt(index));
      places.slab[index] = next.last.slab;
      places.start[index] = next.last.start;
      places.end[index] = next.last.end;
    }
    return next;
  };
  const forget = (upTo: number): void => {
    for (const list of [ops, keys, cells, places.slab, places.start, places.end]) list.splice(0, upTo);
    latest.clear();
    folded = coalesced = 0;
  };

  return {
    addRow(key, bytes, tuple, room) {
      store.write(bytes, tuple, room);
      note(OP.upsert, key, null);
    },
    addCells: (key, op, row) => note(op, key, row),
    fold() {
      for (; folded < ops.length; folded += 1) foldOne(folded);
    },
    take() {
      const taken = store;
      store = moveRest(folded);
      const { pieces, count, bytes } = packRows(taken, places, folded);
      const of: Folded = {
        rows: cells.slice(0, folded).filter((row) => row !== null),
        ops: ops.slice(0, folded).filter((_op, index) => cells[index] !== null),
        records: count === 0 ? null : wireRecords(reading, pieces, { count, bytes, release: () => (pieces.splice(0), taken.release()) }),
        coalesced,
      };
      if (count === 0) taken.release();
      forget(folded);
      return of;
    },
  };
}

/** Closes the gaps between the first `upTo` rows, in the slabs that they lie in. */
function packRows(
  { slabs }: RowStore,
  { slab, start, end }: { readonly slab: readonly number[]; readonly start: readonly number[]; readonly end: readonly number[] },
  upTo: number,
): { readonly pieces: Buffer[]; readonly count: number; readonly bytes: number } {
  const used = slabs.map(() => 0);
  let count = 0;
  for (let index = 0; index < upTo;) {
    const of = slab[index] as number;
    if (of === -1) {
      index += 1;
      continue;
    }
    const from = start[index] as number;
    let to = from;
    // Rows that touch each other move together.
    for (; index < upTo && slab[index] === of && start[index] === to; index += 1, count += 1) to = end[index] as number;
    const at = used[of] as number;
    if (at !== from) (slabs[of] as Buffer).copyWithin(at, from, to);
    used[of] = at + to - from;
  }
  const pieces = slabs.flatMap((buffer, index) => (used[index] === 0 ? [] : [buffer.subarray(0, used[index])]));
  return { pieces, count, bytes: used.reduce((sum, size) => sum + size, 0) };
}
