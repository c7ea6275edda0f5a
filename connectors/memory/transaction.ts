import type { Row } from '../../src/sdk.ts';
import { cellsText } from './cells.ts';
import type { Change, Collection } from './collection.ts';
import { checkRow, keyOf, patched } from './rows.ts';

/** What a transaction needs of its database. */
interface Committed {
  collection(name: string): Collection;
  apply(changes: readonly Change[]): void;
}

/** What a transaction sees of one collection in place of the committed rows. */
interface Overlay {
  /** Whether the committed rows are hidden by a truncate. */
  truncated: boolean;
  /** By key text; `null`: deleted. */
  readonly rows: Map<string, Row | null>;
}

/** Changes that nobody else sees until `commit`. A transaction sees its own. Dropping it is the rollback. */
export class Transaction {
  readonly #database: Committed;
  #changes: Change[] = [];
  readonly #overlays = new Map<string, Overlay>();

  constructor(database: Committed) {
    this.#database = database;
  }

  /** The row of a key as this transaction sees it. */
  get(collection: string, key: Row): Row | null {
    const text = cellsText(key);
    const overlay = this.#overlays.get(collection);
    const own = overlay?.rows.get(text);
    if (own !== undefined) return own;
    if (overlay?.truncated === true) return null;
    return this.#database.collection(collection).rows.get(text)?.cells ?? null;
  }

  /** Every row as this transaction sees it. */
  rows(collection: string): Row[] {
    const overlay = this.#overlays.get(collection);
    const rows = new Map<string, Row | null>();
    if (overlay?.truncated !== true) for (const [key, stored] of this.#database.collection(collection).rows) rows.set(key, stored.cells);
    for (const [key, row] of overlay?.rows ?? []) rows.set(key, row);
    return [...rows.values()].filter((row) => row !== null);
  }

  /** Rows aligned to the collection's shape. Throws E_RECORD_VALUE for a cell that is no carrier of its field's type. */
  upsert(collection: string, ...rows: readonly Row[]): void {
    const { shape } = this.#database.collection(collection);
    for (const row of rows) {
      checkRow(collection, shape, row);
      this.#stage({ collection, op: 'upsert', key: keyOf(shape, row), row }, row);
    }
  }

  /** Changes the cells that are not `undefined`; the key is always there. Does nothing where the row is missing. */
  patch(collection: string, ...rows: readonly Row[]): void {
    const { shape } = this.#database.collection(collection);
    for (const row of rows) {
      const key = keyOf(shape, row);
      const before = this.get(collection, key);
      if (before === null) continue;
      checkRow(collection, shape, patched(before, row));
      this.#stage({ collection, op: 'patch', key, row }, patched(before, row));
    }
  }

  /** Keys in key order. */
  delete(collection: string, ...keys: readonly Row[]): void {
    for (const key of keys) if (this.get(collection, key) !== null) this.#stage({ collection, op: 'delete', key, row: null }, null);
  }

  /** Puts "look this key up again" into the log, and changes nothing. */
  touch(collection: string, ...keys: readonly Row[]): void {
    for (const key of keys) this.#changes.push({ collection, op: 'touch', key, row: null });
  }

  truncate(collection: string): void {
    this.#overlay(collection).rows.clear();
    this.#overlay(collection).truncated = true;
    this.#changes.push({ collection, op: 'truncate', key: [], row: null });
  }

  commit(): void {
    this.#database.apply(this.#changes);
    this.#changes = [];
    this.#overlays.clear();
  }

  #stage(change: Change, row: Row | null): void {
    this.#changes.push(change);
    this.#overlay(change.collection).rows.set(cellsText(change.key), row);
  }

  #overlay(collection: string): Overlay {
    const existing = this.#overlays.get(collection);
    if (existing !== undefined) return existing;
    const overlay = { truncated: false, rows: new Map<string, Row | null>() };
    this.#overlays.set(collection, overlay);
    return overlay;
  }
}
