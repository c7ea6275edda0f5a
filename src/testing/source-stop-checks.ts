import assert from 'node:assert/strict';
import type { Check } from './check.ts';
import { NEVER, within } from './expectations.ts';
import type { SourceFixture } from './source-fixture.ts';
import { assertSame, byId, changesFeed, drain, numbered, openReplica, request, withSource } from './source-reading.ts';

const PROMPT_MS = 3_000;

export const stopChecks: readonly Check<SourceFixture>[] = [
  {
    name: 'stops following promptly when it is aborted while it waits',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3));
      await withSource(fixture, async (source) => {
        const stop = new AbortController();
        const reason = new Error('enough');
        const reading = readUntilEnd(
          source.fetchChanges(request(fixture, changesFeed(fixture, source), { until: 'follow', signal: stop.signal })),
        );
        setTimeout(() => stop.abort(reason), 100);
        await within(PROMPT_MS, 'stopping', endOrReason(reading, reason));
      });
    },
  },
  {
    name: 'stops a drain promptly when it is aborted between two batches',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 500));
      await withSource(fixture, async (source) => {
        const stop = new AbortController();
        const reason = new Error('enough');
        let afterwards = 0;
        const reading = async (): Promise<void> => {
          for await (const batch of source.fetchChanges(
            request(fixture, changesFeed(fixture, source), { batchRows: 1, signal: stop.signal }),
          )) {
            if (stop.signal.aborted) afterwards += batch.records.count;
            stop.abort(reason);
          }
        };
        await within(PROMPT_MS, 'stopping', endOrReason(reading(), reason));
        assert.ok(afterwards <= 50, `${afterwards} batches after the abort`);
      });
    },
  },
  {
    name: 'reads nothing when it is aborted before the call',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 3));
      await withSource(fixture, async (source) => {
        const reason = new Error('enough');
        const reading = readUntilEnd(
          source.fetchChanges(request(fixture, changesFeed(fixture, source), { signal: AbortSignal.abort(reason) })),
        );
        assert.equal(await within(PROMPT_MS, 'stopping', endOrReason(reading, reason)), 0, 'records');
      });
    },
  },
  {
    name: 'can be left in the middle of a read, and read again',
    run: async (fixture) => {
      await fixture.insert(numbered(1, 100));
      await withSource(fixture, async (source) => {
        for (let round = 0; round < 12; round++) {
          for await (const batch of source.fetchChanges(request(fixture, changesFeed(fixture, source), { batchRows: 2 })))
            if (batch.records.count > 0) break;
        }
        const replica = openReplica(fixture, source);
        await replica.apply(await within(PROMPT_MS * 3, 'a read after others were left', drain(fixture, null)));
        assertSame(replica.records, byId(numbered(1, 100)), 'delivered');
      });
    },
  },
  {
    name: 'closes twice, and before anything was read',
    run: async (fixture) => {
      const unused = fixture.open();
      await unused.close();
      await unused.close();
      const source = fixture.open();
      await source.identity(NEVER);
      await source.close();
      await source.close();
    },
  },
];

/** How many records it delivered. */
async function readUntilEnd(stream: AsyncIterable<{ readonly records: { readonly count: number } }>): Promise<number> {
  let count = 0;
  for await (const batch of stream) count += batch.records.count;
  return count;
}

/** An aborted read ends, or throws the signal's reason, an AbortError or nothing else. */
async function endOrReason(reading: Promise<number | void>, reason: Error): Promise<number> {
  try {
    return (await reading) ?? 0;
  } catch (error) {
    const isAbort = error === reason || (error instanceof Error && (error.name === 'AbortError' || error.cause === reason));
    assert.ok(isAbort, `an aborted read threw: ${String(error)}`);
    return 0;
  }
}
