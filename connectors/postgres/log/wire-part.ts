import { OP } from '../../../src/sdk.ts';
import type { Records, Row } from '../../../src/sdk.ts';
import type { Slabs } from '../copy/slabs.ts';
import { wireRecords } from '../copy/rows.ts';
import { createRowStore } from './row-store.ts';
import type { RowStore } from './row-store.ts';
import type { Tuple } from './tuple.ts';
import type { WireForm } from '../read/reading.ts';
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
  /** New rows. `fresh`: all of them were inserted, and nothing came before them here. */
  readonly written: readonly { readonly records: Records; readonly fresh: boolean }[];
  /** Changes that were folded into others. */
  readonly coalesced: number;
}

export interface WirePart {
  /** A new row, out of the tuple of a message. */
  addRow(key: WireKey, row: { readonly bytes: Buffer; readonly tuple: Tuple; readonly room: number; readonly inserted: boolean }): void;
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
  const places: Places = { store: [], slab: [], start: [], end: [] };
  /** The last change of each key among those that were folded. */
  const latest = new Map<WireKey, number>();
  let stores = twoStores(slabs, form);
  /** Every row that was inserted was the first change of its key. */
  let fresh = true;
  let folded = 0;
  let coalesced = 0;

  const note = (op: number, key: WireKey | null, row: Row | null, into: number): void => {
    ops.push(op);
    keys.push(key);
    cells.push(row);
    const { slab, start, end } = (stores[into] as RowStore).last;
    places.store.push(into);
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
  const storeAt = (index: number): RowStore => stores[places.store[index] as number] as RowStore;
  const bytesAt = (index: number): Buffer =>
    (storeAt(index).slabs[places.slab[index] as number] as Buffer).subarray(places.start[index], places.end[index]);
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
      if (places.store[index] === INSERTED && cells[index] === null) fresh = false;
      kill(before);
    }
    latest.set(key, index);
  };
  /** What was not folded yet goes on in stores of its own. */
  const moveRest = (from: number): readonly RowStore[] => {
    const all = twoStores(slabs, form);
    for (let index = from; index < ops.length; index += 1) {
      if (places.slab[index] === -1) continue;
      const next = all[places.store[index] as number] as RowStore;
      next.copy(bytesAt(index));
      places.slab[index] = next.last.slab;
      places.start[index] = next.last.start;
      places.end[index] = next.last.end;
    }
    return all;
  };
  const forget = (upTo: number): void => {
    for (const list of [ops, keys, cells, places.store, places.slab, places.start, places.end]) list.splice(0, upTo);
    latest.clear();
    folded = coalesced = 0;
    fresh = true;
  };

  return {
    addRow(key, { bytes, tuple, room, inserted }) {
      const into = inserted ? INSERTED : CHANGED;
      (stores[into] as RowStore).write(bytes, tuple, room);
      note(OP.upsert, key, null, into);
    },
    addCells: (key, op, row) => note(op, key, row, CHANGED),
    fold() {
      for (; folded < ops.length; folded += 1) foldOne(folded);
    },
    take() {
      const taken = stores;
      stores = moveRest(folded);
      const written = [CHANGED, INSERTED].flatMap((which) => {
        const store = taken[which] as RowStore;
        const { pieces, count, bytes } = packRows(store, places, which, folded);
        const release = () => (pieces.splice(0), store.release());
        if (count === 0) return (store.release(), []);
        return [{ records: wireRecords(reading, pieces, { count, bytes, release }), fresh: which === INSERTED && fresh }];
      });
      const of: Folded = {
        rows: cells.slice(0, folded).filter((row) => row !== null),
        ops: ops.slice(0, folded).filter((_op, index) => cells[index] !== null),
        written,
        coalesced,
      };
      forget(folded);
      return of;
    },
  };
}

/** Stores of rows that were inserted and of others, which the target writes in different ways. */
const [CHANGED, INSERTED] = [0, 1];

function twoStores(slabs: Slabs, form: WireForm): readonly RowStore[] {
  return [createRowStore(slabs, form), createRowStore(slabs, form)];
}

/** Of each change, where its row lies. */
interface Places {
  readonly store: number[];
  /** -1: it is not in a store. */
  readonly slab: number[];
  readonly start: number[];
  readonly end: number[];
}

/** Closes the gaps between the first `upTo` rows of a store, in the slabs that they lie in. */
function packRows(
  { slabs }: RowStore,
  { store, slab, start, end }: Places,
  which: number,
  upTo: number,
): { readonly pieces: Buffer[]; readonly count: number; readonly bytes: number } {
  const used = slabs.map(() => 0);
  let count = 0;
  for (let index = 0; index < upTo;) {
    const of = slab[index] as number;
    if (of === -1 || store[index] !== which) {
      index += 1;
      continue;
    }
    const from = start[index] as number;
    let to = from;
    // Rows that touch each other move together.
    for (; index < upTo && store[index] === which && slab[index] === of && start[index] === to; index += 1, count += 1)
      to = end[index] as number;
    const at = used[of] as number;
    if (at !== from) (slabs[of] as Buffer).copyWithin(at, from, to);
    used[of] = at + to - from;
  }
  const pieces = slabs.flatMap((buffer, index) => (used[index] === 0 ? [] : [buffer.subarray(0, used[index])]));
  return { pieces, count, bytes: used.reduce((sum, size) => sum + size, 0) };
}
