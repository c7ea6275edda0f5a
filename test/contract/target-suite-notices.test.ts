import { describe, it } from 'vitest';
import type { Lane, Target } from '../../src/sdk.ts';
import { OP, TrueupError, cellRecords } from '../../src/sdk.ts';
import { targetChecks } from '../../src/testing/index.ts';
import { memoryTargetFixture } from '../connectors/memory/fixtures.ts';
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
});
