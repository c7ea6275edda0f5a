import { isTrueupError } from '../../errors.ts';
import { isForeign } from '../../model/carrier.ts';
import type { Cell, Row } from '../../model/cell.ts';
import type { TargetStream } from '../../model/contracts.ts';
import { planConversion } from '../../model/conversion.ts';
import { keyToText } from '../../model/key-text.ts';
import type { LogicalType } from '../../model/logical-type.ts';
import type { ChildTable } from '../plan/child-tables.ts';
import { commitFeed } from '../write/commit.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { writeApart } from '../write/write-apart.ts';
import { deletesOf } from '../write/deletes-of.ts';
import { setAside } from '../write/set-aside.ts';

/** Keys that are deleted together. */
const KEYS_AT_ONCE = 1_000;

/** Keys of the target as it gives them back. */
export interface TargetKeys {
  /** Of the key's fields, in key order. */
  readonly types: readonly LogicalType[];
  readonly keys: readonly (readonly Cell[])[];
  /** The child table that they are keys of; absent: the stream's own target. */
  readonly child?: ChildTable;
}

/**
 * Deletes records of the target by its own keys, the checkpoint unmoved: for records that no key of the source leads to. A key that the mapping could
 * never have made was put there by somebody else and stays.
 */
export async function deleteTargetKeys(run: FeedRun, stream: StreamRun, { types, keys, child }: TargetKeys): Promise<void> {
  const { target } = child ?? stream.planned;
  const mapped = keys.flatMap((key) => mappedKey(target, types, key));
  for (let from = 0; from < mapped.length; from += KEYS_AT_ONCE) {
    const batch = deletesOf(target, mapped.slice(from, from + KEYS_AT_ONCE));
    const keyAt = (index: number): string => `position:target ${keyToText(batch.shape, batch.records.rows()[index] as Row)}`;
    // Rows of child tables are beside the records, which alone are counted as read; but a letter is a record.
    const counted = (records: number): void => {
      stream.tally.pending.read += records;
      run.book.countRead(records);
    };
    if (child === undefined) counted(batch.records.count);
    run.uncommitted = run.uncommitted?.length === 0 ? [] : null;
    await writeApart(
      run.lane,
      batch,
      ({ index, code, message }) => {
        if (child !== undefined) counted(1);
        setAside(run, stream, { key: keyAt(index), code, message });
      },
      run.signals.abort,
    );
    run.uncommitted?.push({ stream, batch, keyAt });
    await commitFeed(run, null, run.checkpoint.position);
  }
}

/** The key as the mapping would have made it, in a list of its own; an empty list: the mapping makes no such key. */
function mappedKey({ shape }: TargetStream, types: readonly LogicalType[], key: readonly Cell[]): (readonly Cell[])[] {
  if (types.some((type, position) => isForeign(type, key[position]))) return [];
  try {
    const cells = shape.key.map((index, position) => {
      const to = shape.fields[index]?.type ?? 'unknown';
      return planConversion({ from: types[position] ?? 'unknown', to, onLoss: 'error' }).convert(key[position], () => undefined);
    });
    return [cells];
  } catch (error) {
    if (isTrueupError(error) && (error.fault === 'record' || error.code === 'E_MAPPING_TYPE')) return [];
    throw error;
  }
}
