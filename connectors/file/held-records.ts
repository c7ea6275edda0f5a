import { TrueupError, cellRecords } from '../../src/sdk.ts';
import type { Records, Row } from '../../src/sdk.ts';
import { hasRoom } from './slabs.ts';
import type { Slab, Slabs } from './slabs.ts';

/*
 * Records while they wait to be written: their bytes as they stood in the file. Cells weigh several times as much, on the garbage-collected heap,
 * so they are made only once somebody looks at the rows.
 */

export interface Held {
  readonly count: number;
  /** Of the records themselves. */
  readonly bytes: number;
  /** The bytes are copied, so that they keep no larger piece alive. */
  add(bytes: Buffer): void;
  /** @param rowOf a record that was found readable, as its row */
  records(rowOf: (text: string) => Row): Records;
}

export function holdRecords(pool: Slabs): Held {
  const slabs: Slab[] = [];
  let count = 0;
  let bytes = 0;
  return {
    get count() {
      return count;
    },
    get bytes() {
      return bytes;
    },
    add(record) {
      let slab = slabs.at(-1);
      if (slab === undefined || !hasRoom(slab, record.length)) slabs.push((slab = pool.take(record.length)));
      slab.used += record.copy(slab.buffer, slab.used);
      slab.ends[slab.count++] = slab.used;
      count++;
      bytes += record.length;
    },
    records: (rowOf) => heldRecords({ pool, slabs, count, bytes }, rowOf),
  };
}

interface Holding {
  readonly pool: Slabs;
  readonly slabs: readonly Slab[];
  readonly count: number;
  readonly bytes: number;
}

function heldRecords({ pool, slabs, count, bytes }: Holding, rowOf: (text: string) => Row): Records {
  let held: { readonly slabs: readonly Slab[] } | { readonly rows: readonly Row[] } | null = { slabs };
  const inHand = (): Exclude<typeof held, null> => {
    if (held === null) throw new TrueupError('E_BUG', 'Somebody looks at records of a file after they were given up.');
    return held;
  };
  /** A reader may be in the middle of the slabs: they do not go to others before the end. */
  let scanned = false;
  const giveBack = (): void => {
    if (held !== null && 'slabs' in held) pool.give(held.slabs);
  };
  const rows = (): readonly Row[] => {
    const now = inHand();
    if ('rows' in now) return now.rows;
    const made = [...scanSlabs(now.slabs, rowOf)];
    if (!scanned) giveBack();
    held = { rows: made };
    return made;
  };
  return {
    form: 'cells',
    count,
    bytes,
    textDialect: null,
    rows,
    scan() {
      const now = inHand();
      scanned = true;
      return 'slabs' in now ? scanSlabs(now.slabs, rowOf) : now.rows;
    },
    decoder: () => null,
    slice: (from, to) => cellRecords({ rows: rows(), bytes }).slice(from, to),
    release() {
      giveBack();
      held = null;
    },
  };
}

function* scanSlabs(slabs: readonly Slab[], rowOf: (text: string) => Row): Generator<Row> {
  for (const { buffer, ends, count } of slabs) {
    let from = 0;
    for (let index = 0; index < count; index++) {
      const end = ends[index] as number;
      yield rowOf(buffer.toString('utf8', from, end));
      from = end;
    }
  }
}
