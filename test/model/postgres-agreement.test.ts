import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';

import { cellFromText, cellToText } from '../../src/model/cell-text.ts';
import { INSTANT_INFINITY } from '../../src/model/cell.ts';
import { planConversion } from '../../src/model/conversion.ts';
import { openZone } from '../../src/model/zone.ts';
import type { Zone } from '../../src/model/zone.ts';
import { createDatabase, describeWithPostgres } from '../servers/postgres.ts';
import type { TestDatabase } from '../servers/postgres.ts';
import { decimalText } from './arbitraries.ts';

/* The rules that are said to be those of Postgres are asked of Postgres itself. */
describeWithPostgres('texts and time zones', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase('agreement');
    await database.query("set timezone = 'Asia/Kathmandu'");
  });

  /** The results of one SQL expression over many texts, in their order. */
  const ask = async (expression: string, texts: readonly string[]): Promise<string[]> => {
    const rows = await database.query<{ answer: string }>(
      `select (${expression})::text as answer from unnest($1::text[]) with ordinality as given(v, n) order by n`,
      [texts],
    );
    return rows.map((row) => row.answer);
  };
  const sample = <T>(arbitrary: fc.Arbitrary<T>, count = 500): T[] => fc.sample(arbitrary, { numRuns: count, seed: 7 });

  const instants = fc.oneof(
    fc.bigInt({ min: -62_000_000_000_000_000n, max: 200_000_000_000_000_000n }),
    fc.bigInt({ min: 0n, max: 2_000_000_000_000_000n }),
    fc.bigInt({ min: -210_866_803_200_000_000n, max: -62_000_000_000_000_000n }),
  );

  it('agree on instants, whatever zone the server writes them in', async () => {
    const cells = [...sample(instants), INSTANT_INFINITY, -INSTANT_INFINITY];
    const ours = cells.map((cell) => cellToText('timestamptz', cell) as string);
    const theirs = await ask('v::timestamptz', ours);
    expect(theirs.map((text) => cellFromText('timestamptz', text))).toEqual(cells);
  });

  it('agree on civil times, dates and decimals', async () => {
    const stamps = sample(instants).map(
      (micros) => cellFromText('timestamp', (cellToText('timestamptz', micros) as string).replace('T', ' ').replace('Z', '')) as string,
    );
    expect(await ask('v::timestamp', stamps)).toEqual(stamps);
    const dates = stamps.map((stamp) => cellFromText('date', stamp.replace(/ \d\d:.*?( BC)?$/, '$1')) as string);
    expect(await ask('v::date', dates)).toEqual(dates);
    const decimals = sample(decimalText).map((text) => cellFromText('decimal', text) as string);
    expect(await ask('v::numeric', decimals)).toEqual(decimals);
  });

  it.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/St_Johns', 'Pacific/Apia'])(
    'agree on what clocks show in %s, skipped and repeated hours included',
    async (name) => {
      const zone = openZone(name)!;
      // Since 1970: before, the two time zone databases need not know the same.
      const recent = sample(fc.bigInt({ min: 0n, max: 2_000_000_000_000_000n }), 300);
      const changes = changesOf(zone).flatMap((second) =>
        [-7200, -3601, -1800, -1, 0, 1, 1800, 3599, 5400].map((shift) => BigInt(second + shift) * 1_000_000n),
      );
      const cells = [...recent, ...changes];
      const civil = planConversion({ from: 'timestamptz', to: 'timestamp', onLoss: 'error', zone });
      const shown = cells.map((cell) => civil.convert(cell, () => undefined) as string);
      expect(
        await ask(
          `v::timestamptz at time zone '${name}'`,
          cells.map((cell) => cellToText('timestamptz', cell) as string),
        ),
      ).toEqual(shown);

      const instant = planConversion({ from: 'timestamp', to: 'timestamptz', onLoss: 'error', zone });
      const skipped = changesOf(zone).flatMap((second) =>
        [-1800, 0, 900, 1800, 3600, 5400].map(
          (shift) => cellToText('timestamptz', BigInt(second + (zoneOffset(zone, second - 1) ?? 0) + shift) * 1_000_000n) as string,
        ),
      );
      const civils = [...shown, ...skipped.map((text) => text.replace('T', ' ').replace('Z', ''))];
      const theirs = await ask(`v::timestamp at time zone '${name}'`, civils);
      expect(theirs.map((text) => cellFromText('timestamptz', text))).toEqual(civils.map((text) => instant.convert(text, () => undefined)));
    },
  );

  function zoneOffset(zone: Zone, second: number): number | null {
    const shown = zone.toCivil(BigInt(second) * 1_000_000n);
    return shown === null ? null : Number(shown / 1_000_000n) - second;
  }

  /** Seconds since 1970 at which the offset of a zone changes, from 2000 to 2030. */
  function changesOf(zone: Zone): number[] {
    const found: number[] = [];
    const step = 86_400;
    for (let second = 946_684_800; second < 1_893_456_000; second += step) {
      if (zoneOffset(zone, second) === zoneOffset(zone, second + step)) continue;
      let [low, high] = [second, second + step];
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (zoneOffset(zone, middle) === zoneOffset(zone, low)) low = middle;
        else high = middle;
      }
      found.push(high);
    }
    return found;
  }
});
