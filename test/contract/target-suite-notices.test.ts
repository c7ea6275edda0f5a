import { describe, it } from 'vitest';
import type { CommitResult, Lane, Target, TargetStream } from '../../src/sdk.ts';
import { OP, TrueupError, cellRecords } from '../../src/sdk.ts';
import { targetChecks } from '../../src/testing/index.ts';
import { cellsText } from '../../connectors/memory/cells.ts';
import { SHAPE } from '../../src/testing/target-writing.ts';
import { memoryTargetFixture } from '../connectors/memory/fixtures.ts';
import { targetFixture as restTargetFixture } from '../connectors/rest/target-kit.ts';
import { withDigests } from './digesting.ts';
import type { Planted } from './digesting.ts';
import { commitAtOnce, expectNotice, keepRecords, onBatch } from './planting.ts';

describe('the target suite notices', () => {
  const faulty = (name: string, fault: string, plant: (target: Target) => Target): void =>
    it(fault, () =>
      expectNotice(targetChecks, name, memoryTargetFixture, (fixture) => ({ ...fixture, open: () => plant(fixture.open()) })),
    );
  const inLane =
    (plant: (lane: Lane) => Partial<Lane>) =>
    (target: Target): Target => ({
      ...target,
      openLane: async (open, signal) => {
        const lane = await target.openLane(open, signal);
        return { ...lane, ...plant(lane) };
      },
    });

  faulty('shows nothing before the commit, and everything after it', 'records that are visible before the commit', inLane(commitAtOnce));
  faulty(
    'writes neither records nor checkpoints nor letters for an owner that was taken over',
    'an epoch that is not looked at',
    (target) => ({
      ...target,
      openLane: (open, signal) => target.openLane({ ...open, checkpoints: false }, signal),
    }),
  );
  faulty(
    'commits records, checkpoints and letters together',
    'checkpoints that are forgotten',
    inLane((lane) => ({ commit: (what, signal) => lane.commit({ ...what, checkpoints: [] }, signal) })),
  );
  faulty(
    'commits records, checkpoints and letters together',
    'letters that are not resolved',
    inLane((lane) => ({ commit: (what, signal) => lane.commit({ ...what, resolved: [] }, signal) })),
  );
  faulty(
    'forgets what was discarded, and what was written to a lane that closed',
    'a discard that keeps',
    inLane(() => ({ discard: async () => {} })),
  );
  faulty(
    'deletes, and counts deletes of what is not there as absent',
    'deletes that are not done',
    inLane((lane) => onBatch(lane, (batch) => (batch.ops === null ? batch : keepRecords(batch, (op) => op !== OP.delete)))),
  );
  faulty(
    'patches only the cells that are there',
    'absent cells that become NULL',
    inLane((lane) =>
      onBatch(lane, (batch) => ({
        ...batch,
        records: cellRecords({ rows: batch.records.rows().map((row) => row.map((cell) => cell ?? null)), bytes: 1 }),
      })),
    ),
  );
  faulty('refuses a record that is older than its own by the guard', 'a guard that lets old records pass', (target) => ({
    ...target,
    openLane: (open, signal) => target.openLane({ ...open, streams: open.streams.map(({ guard: _, ...stream }) => stream) }, signal),
  }));
  faulty(
    'counts a record that it holds already as unchanged',
    'unchanged records that count as written',
    inLane((lane) => ({
      commit: async (what, signal) => {
        const result = await lane.commit(what, signal);
        const streams = Object.entries(result.streams).map(
          ([name, counts]) => [name, { ...counts, upserted: counts.upserted + counts.unchanged, unchanged: 0 }] as const,
        );
        return { ...result, streams: Object.fromEntries(streams) };
      },
    })),
  );
  faulty(
    'is after a batch that failed as before it',
    'half a batch that stays after a failure',
    inLane((lane) => ({
      bulkUpsert: async (batch, signal) => {
        const faults = await lane.bulkUpsert(batch, signal);
        if (faults.length > 0) throw new TrueupError('E_RECORD_VALUE', 'a record of the batch is bad');
        return faults;
      },
    })),
  );
  faulty(
    'tells a record that it cannot hold by the code of its fault, and writes the others',
    'a text that is changed silently',
    inLane((lane) =>
      onBatch(lane, (batch) => ({
        ...batch,
        records: cellRecords({
          rows: batch.records.rows().map((row) => row.map((cell) => (typeof cell === 'string' ? cell.toWellFormed() : cell))),
          bytes: 1,
        }),
      })),
    ),
  );
  faulty(
    'truncates, as a barrier between what came before and after',
    'a truncate that is not done',
    inLane((lane) => onBatch(lane, (batch) => keepRecords(batch, (op) => op !== OP.truncate))),
  );
  faulty(
    'holds what the changes amount to, however they are cut into commits, discards and lanes',
    'one lost delete among many changes',
    inLane((lane) => {
      let deletes = 0;
      return onBatch(lane, (batch) => keepRecords(batch, (op) => op !== OP.delete || ++deletes % 3 !== 0));
    }),
  );
  faulty('plans what is missing without making it, makes it once, and then plans nothing', 'a plan that makes what it plans', (target) => ({
    ...target,
    plan: async (streams, signal) => {
      const plan = await target.plan(streams, signal);
      await target.apply(plan, signal);
      return plan;
    },
  }));
  faulty('scans every record once, with the fields that are asked for', 'a scan that stops early', (target) => ({
    ...target,
    async *scan(request) {
      for await (const batch of target.scan?.(request) ?? []) {
        yield batch;
        return;
      }
    },
  }));

  faulty('says of every type how it gives values back that were written', 'values that come back otherwise than was said', (target) => ({
    ...target,
    storedAs: async (stream, signal) =>
      ((await target.storedAs?.(stream, signal)) ?? []).map(
        (field) =>
          field && {
            ...field,
            convert: (cell) => (typeof cell === 'string' ? cell.trimEnd() : cell),
          },
      ),
  }));
  faulty('says that it does not store a field which a policy leaves out', 'a field that is said to be stored and is not', (target) => ({
    ...target,
    storedAs: async (stream) => stream.shape.fields.map(({ type }) => ({ type, convert: (cell) => cell })),
  }));
  faulty('scans and finds nothing where it does not exist yet', 'records of a target that does not exist', (target) => ({
    ...target,
    async *scan({ stream }) {
      yield {
        stream: stream.stream,
        shape: stream.shape,
        records: cellRecords({ rows: [[1n]], bytes: 8 }),
        ops: null,
        distinctKeys: true,
        cursor: null,
        position: { text: '' },
      };
    },
  }));
  const writer = 'names the run and epoch that wrote a record last';
  faulty(writer, 'the newest commit, whatever it wrote', (target) => ({
    ...target,
    writtenBy: async (stream, key, signal) => {
      const found = await target.writtenBy?.(stream, key, signal);
      return found === null || found === undefined
        ? null
        : { ...found, run: (await target.checkpoints?.owner('suite', signal))?.run ?? found.run };
    },
  }));
  faulty(writer, 'a record that nobody wrote', (target) => ({
    ...target,
    writtenBy: async (stream, key, signal) =>
      (await target.writtenBy?.(stream, key, signal)) ?? { run: 'run-1', epoch: 1, at: new Date().toISOString() },
  }));
  faulty(writer, 'an epoch that never changes', (target) => ({
    ...target,
    writtenBy: async (stream, key, signal) => {
      const found = await target.writtenBy?.(stream, key, signal);
      return found === null || found === undefined ? null : { ...found, epoch: 1 };
    },
  }));

  describe('of a target that writes without reading', () => {
    const blind = (name: string, fault: string, plant: (target: Target) => Target, method: 'PUT' | 'PATCH' = 'PUT'): void =>
      it(fault, () =>
        expectNotice(
          targetChecks,
          name,
          () => restTargetFixture(method),
          (fixture) => ({ ...fixture, open: () => plant(fixture.open()) }),
        ),
      );
    const planning =
      (change: (stream: TargetStream) => TargetStream) =>
      (target: Target): Target => ({ ...target, plan: (streams, signal) => target.plan(streams.map(change), signal) });
    const committing = (change: (result: CommitResult) => CommitResult) =>
      inLane((lane) => ({ commit: async (what, signal) => change(await lane.commit(what, signal)) }));

    blind(
      'counts a record that it holds already as unchanged',
      'records that are said to be unchanged and were not read',
      committing(({ streams, ...rest }) => ({
        ...rest,
        streams: Object.fromEntries(
          Object.entries(streams).map(([stream, counts]) => [stream, { ...counts, upserted: 0, unchanged: counts.upserted }]),
        ),
      })),
    );
    blind(
      'refuses a guard in its plan where it holds nothing to compare with',
      'a guard that nobody heeds',
      planning(({ guard: _, ...stream }) => stream),
    );
    blind(
      'refuses in its plan to mark what is deleted where it cannot',
      'a mark that nobody sets',
      planning((stream) => ({ ...stream, onDelete: 'delete' })),
    );
    blind(
      'plans nothing to make where others make its places, before the first record and after it',
      'a plan that creates what is there',
      (target) => ({
        ...target,
        plan: async (streams, signal) => {
          const plan = await target.plan(streams, signal);
          return { ...plan, streams: plan.streams.map((stream) => ({ ...stream, creates: true })) };
        },
      }),
    );
    blind(
      'leaves checkpoints and letters to others where it keeps none',
      'letters that are said to be resolved and are kept elsewhere',
      committing((result) => ({ ...result, lettersResolved: 1 })),
    );
    blind(
      'keeps values of fields that the stream has lost',
      'a patch of a record that empties its other fields',
      inLane((lane) =>
        onBatch(lane, (batch) => ({
          ...batch,
          shape: SHAPE,
          records: cellRecords({ rows: batch.records.rows().map((row) => SHAPE.fields.map((_, index) => row[index] ?? null)), bytes: 1 }),
        })),
      ),
      'PATCH',
    );
    blind(
      'deletes, and counts deletes of what is not there as absent',
      'deletes that are not sent',
      inLane((lane) => onBatch(lane, (batch) => (batch.ops === null ? batch : keepRecords(batch, (op) => op !== OP.delete)))),
    );
    blind(
      'refuses NULL where the field does not allow it',
      'NULL that is sent where it may not be',
      inLane((lane) =>
        onBatch(lane, (batch) => ({
          ...batch,
          shape: { ...batch.shape, fields: batch.shape.fields.map((field) => ({ ...field, nullable: true })) },
        })),
      ),
    );
    let batches = 0;
    blind(
      'is after writing any batch twice as after writing it once',
      'one batch of several that is not sent',
      inLane((lane) => onBatch(lane, (batch) => (++batches % 7 < 2 ? keepRecords(batch, () => false) : batch))),
    );
  });

  describe('of hashes', () => {
    const hashing = (name: string, fault: string, plant: Planted): void =>
      it(fault, () =>
        expectNotice(
          targetChecks,
          name,
          () => withDigests(memoryTargetFixture(), {}),
          (fixture) => withDigests(fixture, plant),
        ),
      );
    const equal = 'hashes equal records equally wherever they are, and sums in each bucket what it lists there';
    const apart =
      'changes the hash of a record with each of its values: NULL and empty, a space at the end, -0 and 0, a microsecond, the last digit';

    hashing(equal, 'a hash that depends on where a record is', { text: (cells, stream) => `${stream.target} ${cellsText(cells)}` });
    hashing(equal, 'a record that is not in the sum', { sums: (records) => records.slice(1) });
    hashing(equal, 'a record that is not listed', { lists: (records) => records.slice(1) });
    hashing(equal, 'buckets beyond the bound', { below: () => Infinity });
    hashing(apart, 'a value that is left out', { text: (cells) => cellsText(cells.slice(0, 1)) });
    hashing(apart, 'NULL taken for the empty text', { text: (cells) => cellsText(cells.map((cell) => cell ?? '')) });
    hashing(apart, 'a space at the end that is cut', {
      text: (cells) => cellsText(cells.map((cell) => (typeof cell === 'string' ? cell.trimEnd() : cell))),
    });
    hashing(apart, 'a negative zero taken for zero', { text: (cells) => cellsText(cells.map((cell) => (cell === 0 ? 0 : cell))) });
    hashing(apart, 'a time cut to milliseconds', {
      text: (cells) => cellsText(cells.map((cell, index) => (index > 0 && typeof cell === 'bigint' ? cell / 1000n : cell))),
    });
    hashing(apart, 'bits of a number that are folded', {
      text: (cells) =>
        cellsText(cells.map((cell) => (typeof cell === 'bigint' ? BigInt.asUintN(32, cell) ^ BigInt.asUintN(32, cell >> 32n) : cell))),
    });
    hashing('notices two records of one bucket that exchanged a value', 'hashes that are sums over columns', { columnwise: true });
  });
});
