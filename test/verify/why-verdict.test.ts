import { describe, expect, it } from 'vitest';
import type { Letter } from '../../src/model/checkpoint.ts';
import { whyBecause } from '../../src/verify/why-because.ts';
import type { Becomes, WhyFacts } from '../../src/verify/why-facts.ts';
import { whyNext } from '../../src/verify/why-next.ts';
import type { WhyVerdict } from '../../src/verify/why-report.ts';
import { whyExitCode, whyVerdict } from '../../src/verify/why-verdict.ts';

const LETTER: Letter = {
  job: 'orders',
  stream: 'public.orders',
  key: '["7"]',
  kind: 'record',
  code: 'E_RECORD_VALUE',
  message: "field 'total' does not fit",
  run: '01RUN',
  at: '2026-11-24T10:00:00.000Z',
  attempts: 2,
};
const RECORD: Becomes = { kind: 'record' };
const FILTERED: Becomes = { kind: 'filtered', by: { label: 'where', expression: "status != 'draft'" } };
const DELETED: Becomes = { kind: 'deleted', by: { label: 'deletes.when', expression: 'is_gone' } };
const FAULT: Becomes = { kind: 'fault', code: 'E_RECORD_LOSS', message: "field 'total' would lose digits" };
const HELD = { since: '2026-11-24T10:00:00Z', by: 'pid 4711 (psql), idle in transaction' };
const OBSTACLE = { code: 'E_PLAN_HASH', message: 'the mapping changed' } as const;

const UNTOLD: WhyFacts['deletes'] = { delivered: false, when: null, bySnapshot: false, compare: null };

/** A record that both sides agree on, of a stream that is followed. */
const AGREED: WhyFacts = {
  job: 'orders',
  stream: 'public.orders',
  target: 'public.orders',
  key: '7',
  part: null,
  records: 1,
  becomes: RECORD,
  inTarget: 'present',
  differing: [],
  letter: null,
  life: 'following',
  partly: false,
  isPlanChanged: false,
  undelivered: false,
  heldBack: null,
  deletes: UNTOLD,
  onDelete: 'delete',
  onExit: 'delete',
  guardedBy: null,
  isOurs: false,
  assumes: ['every write to public.orders sets updated_at'],
  runner: null,
  schedule: 'by-hand',
  obstacle: null,
};

const ABSENT = { inTarget: 'absent' } as const;
const DIFFERS = { differing: ['total'] } as const;
const GONE = { becomes: null, records: 0, differing: ['id', 'total'] } as const;
const RUNNING = { runner: { host: 'here', pid: 12 } } as const;

const CASES: readonly (readonly [what: string, facts: Partial<WhyFacts>, verdict: WhyVerdict, exitCode: 0 | 4, next: RegExp])[] = [
  ['both sides agree', {}, 'equal', 0, /Nothing is left/],
  ['both agree, and the record is still to come', { undelivered: true }, 'equal', 0, /Nothing is left/],
  ['both agree, and an old letter stands', { letter: LETTER }, 'equal', 0, /dead-letters replay orders 7/],
  ['the target was altered', DIFFERS, 'different', 4, /verify orders --stream public\.orders --repair/],
  ['the target lost it', ABSENT, 'missing', 4, /verify orders --stream public\.orders --repair/],
  ['the target itself is gone', { inTarget: 'none', obstacle: OBSTACLE }, 'missing', 4, /--full/],
  ['the guard refuses it', { ...DIFFERS, guardedBy: 'version' }, 'different', 4, /guard: version/],
  ['the mapping changed', { ...DIFFERS, isPlanChanged: true, obstacle: OBSTACLE }, 'different', 4, /--on-change rebackfill/],
  ['a field changed since', { ...DIFFERS, undelivered: true }, 'pending', 0, /The next run writes it: `trueup run orders/],
  ['it is new since', { ...ABSENT, undelivered: true }, 'pending', 0, /The next run writes it/],
  ['it is new since, and a scheduler runs', { ...ABSENT, undelivered: true, schedule: 'cron' }, 'pending', 0, /trueup start/],
  ['it is new since, and a run goes on', { ...ABSENT, undelivered: true, ...RUNNING }, 'pending', 0, /going on \(here pid 12\)/],
  ['it is new, and a transaction is open', { ...ABSENT, undelivered: true, heldBack: HELD }, 'pending', 0, /The next run writes it/],
  ['the run that follows waits', { ...ABSENT, undelivered: true, heldBack: HELD, ...RUNNING }, 'held-back', 0, /pid 4711/],
  ['the next run is stopped', { ...ABSENT, undelivered: true, obstacle: OBSTACLE }, 'pending', 4, /stops before it: \[E_PLAN_HASH\]/],
  ['the stream is new', { ...ABSENT, inTarget: 'none', life: 'new', undelivered: null }, 'pending', 0, /The next run writes it/],
  ['the target had another before', { ...DIFFERS, life: 'new', undelivered: null }, 'pending', 0, /The next run writes it/],
  ['the first load goes on', { ...ABSENT, life: 'loading', undelivered: null }, 'pending', 0, /The next run writes it/],
  ['a backfill goes on', { ...DIFFERS, life: 'refilling' }, 'pending', 0, /The next run writes it/],
  ['a backfill of a part goes on', { ...DIFFERS, life: 'refilling', partly: true }, 'different', 4, /--repair/],
  ['it could not be written', { ...ABSENT, letter: LETTER }, 'dead-letter', 4, /dead-letters replay orders --stream public\.orders 7/],
  ['a change could not be written', { ...DIFFERS, letter: LETTER }, 'dead-letter', 4, /dead-letters replay/],
  ['its letter is known and it changed again', { ...ABSENT, letter: LETTER, undelivered: true }, 'dead-letter', 4, /dead-letters replay/],
  ['its parent is missing', { ...ABSENT, letter: { ...LETTER, kind: 'order' } }, 'dead-letter', 4, /after its parents/],
  ['it cannot be carried, and is to come', { ...ABSENT, becomes: FAULT, undelivered: true }, 'pending', 4, /makes it a dead letter/],
  ['it cannot be carried, and its letter was dropped', { ...ABSENT, becomes: FAULT }, 'missing', 4, /dead letter/],
  ['it cannot be carried any more', { becomes: FAULT, differing: ['id'] }, 'different', 4, /dead letter/],
  ['it is filtered', { ...ABSENT, becomes: FILTERED }, 'filtered', 0, /Nothing is left/],
  ['it is filtered, and stays until the next run', { becomes: FILTERED, undelivered: true }, 'pending', 0, /deletes it in the target/],
  ['it is filtered, and may stay', { becomes: FILTERED, onExit: 'keep', undelivered: true }, 'filtered', 0, /Nothing is left/],
  ['it is filtered, and deletes are ignored', { becomes: FILTERED, onDelete: 'ignore' }, 'filtered', 0, /Nothing is left/],
  ['it is filtered, and there all the same', { becomes: FILTERED }, 'extra', 4, /--repair/],
  ['it is marked as deleted', { ...ABSENT, becomes: DELETED }, 'filtered', 0, /Nothing is left/],
  ['it was marked as deleted since', { becomes: DELETED, undelivered: true }, 'pending', 0, /deletes it in the target/],
  ['it is marked as deleted, and there', { becomes: DELETED }, 'deleted', 4, /--repair/],
  ['it is gone from both', { ...GONE, ...ABSENT }, 'not-in-source', 0, /Nothing is left/],
  ['it is gone from both, an old letter stands', { ...GONE, ...ABSENT, letter: LETTER }, 'not-in-source', 0, /dead-letters replay/],
  ['it is gone, and nothing delivers that', GONE, 'deleted', 4, /never delivers deletes/],
  [
    'it is gone, and keys are compared later',
    { ...GONE, deletes: { ...UNTOLD, compare: { nextAt: '2026-11-25T03:00:00.000Z', lastAt: null, scope: null } } },
    'deleted',
    4,
    /from 2026-11-25T03:00:00.000Z on/,
  ],
  [
    'it is gone, and keys are compared in the next run',
    { ...GONE, deletes: { ...UNTOLD, compare: { nextAt: null, lastAt: '2026-11-24T03:00:00.000Z', scope: 'id > 5' } } },
    'deleted',
    4,
    /next run compares the keys of both sides \(last at 2026-11-24T03:00:00.000Z\): `trueup run .*scope 'id > 5'/,
  ],
  [
    'it differs by snapshot',
    { ...DIFFERS, deletes: { ...UNTOLD, bySnapshot: true } },
    'different',
    4,
    /compares both sides and corrects it/,
  ],
  [
    'it is gone altogether where a mark was to be set',
    { ...GONE, deletes: { ...UNTOLD, when: 'gone_at != null' } },
    'deleted',
    4,
    /gone altogether/,
  ],
  ['it is gone, and its delete is to come', { ...GONE, undelivered: true }, 'pending', 0, /deletes it in the target/],
  ['it is gone, and the target keeps it', { ...GONE, onDelete: 'ignore', undelivered: true }, 'deleted', 0, /keeps it/],
  ['it is gone, and its delete failed', { ...GONE, letter: LETTER }, 'dead-letter', 4, /tries the delete again/],
  ['it is gone before the first load', { ...GONE, life: 'new', undelivered: null }, 'deleted', 4, /never delivers deletes/],
];

describe('why: the verdict', () => {
  it.each(CASES)('where %s', (_what, parts, verdict, exitCode, next) => {
    const facts = { ...AGREED, ...parts };
    const found = whyVerdict(facts);
    expect({ verdict: found, exitCode: whyExitCode(facts, found) }).toEqual({ verdict, exitCode });
    expect(whyNext(facts, found)).toMatch(next);
  });

  it('says what the change method cannot see, and that nobody else wrote it where that is known', () => {
    const altered = { ...AGREED, ...DIFFERS };
    expect(whyBecause(altered, 'different')).toMatch(
      /Either somebody else changed the target, or .*assumes: every write to public\.orders sets updated_at/,
    );
    expect(whyBecause({ ...altered, isOurs: true }, 'different')).toContain('as a run wrote it, so the source changed it');
  });

  it('says of several records with one key that the key is none', () => {
    const facts = { ...AGREED, ...DIFFERS, records: 3 };
    expect(whyBecause(facts, whyVerdict(facts))).toContain('has 3 records with this key');
    expect(whyNext(facts, whyVerdict(facts))).toContain("'key: [...]'");
  });

  it('tells of an open transaction whoever misses a newer change', () => {
    expect(whyNext({ ...AGREED, heldBack: HELD }, 'equal')).toContain('pid 4711 (psql)');
  });

  it('quotes what a shell would take apart', () => {
    const facts = { ...AGREED, ...ABSENT, letter: LETTER, stream: 'public."it\'s"', key: '["a b","-1"]' };
    expect(whyNext(facts, 'dead-letter')).toContain(`--stream 'public."it'\\''s"' '["a b","-1"]'`);
    expect(whyNext({ ...facts, key: '-1' }, 'dead-letter')).toContain('-- -1');
  });

  it('is sound for every combination of facts', () => {
    const combinations = [...everyCombination()];
    expect(combinations.length).toBeGreaterThan(10_000);
    const unsound = combinations.flatMap((facts) => unsoundness(facts).map((what) => ({ what, facts })));
    expect(unsound.slice(0, 3)).toEqual([]);
  });
});

/** What is wrong with what is said of these facts, by rules that know no verdict but from its meaning. */
function unsoundness(facts: WhyFacts): string[] {
  const verdict = whyVerdict(facts);
  const exitCode = whyExitCode(facts, verdict);
  const told = `${whyBecause(facts, verdict)} ${whyNext(facts, verdict)}`;
  const { becomes, inTarget, undelivered, life } = facts;
  const isThere = inTarget === 'present';
  const goes = becomes === null || becomes.kind === 'deleted' || becomes.kind === 'filtered';
  const agree = becomes?.kind === 'record' ? isThere && facts.differing.length === 0 : goes && !isThere;
  const allowed = goes && (facts.onDelete === 'ignore' || (becomes?.kind === 'filtered' && facts.onExit === 'keep'));
  const coming = undelivered === true || life === 'new' || life === 'loading' || (life === 'refilling' && !facts.partly);
  const rules: readonly (readonly [what: string, holds: boolean])[] = [
    ['agreement is no failure', !agree || exitCode === 0],
    ['a difference is no agreement', agree || (verdict !== 'equal' && verdict !== 'not-in-source')],
    ['a difference is passed over only where a run mends it or the job allows it', agree || exitCode === 4 || coming || allowed],
    ['what waits has not failed', (verdict !== 'pending' && verdict !== 'held-back') || facts.letter === null],
    ['whoever holds it back is named', verdict !== 'held-back' || told.includes('pid 4711')],
    ['it is missing only where it is not there', verdict !== 'missing' || !isThere],
    ['the text is whole', !/undefined|\[object|\[\]| {2}|\.\.(?!\.)/.test(told) && /^[A-Z'].*[.)]$/.test(told)],
  ];
  return rules.flatMap(([what, holds]) => (holds ? [] : [`${what}: ${verdict} ${exitCode}: ${told}`]));
}

function* everyCombination(): Generator<WhyFacts> {
  for (const becomes of [null, RECORD, FILTERED, DELETED, FAULT])
    for (const inTarget of ['none', 'absent', 'present'] as const)
      for (const differing of [[], ['total']])
        for (const letter of [null, LETTER])
          for (const life of ['new', 'loading', 'following', 'refilling'] as const)
            for (const partly of [false, true])
              for (const undelivered of [null, false, true])
                for (const heldBack of [null, HELD])
                  for (const runner of [null, { host: 'here', pid: 12 }])
                    for (const onDelete of ['delete', 'ignore'] as const)
                      for (const onExit of ['delete', 'keep'] as const)
                        for (const obstacle of [null, OBSTACLE])
                          yield {
                            ...AGREED,
                            becomes,
                            inTarget,
                            differing,
                            letter,
                            life,
                            partly,
                            undelivered,
                            heldBack,
                            runner,
                            onDelete,
                            onExit,
                            obstacle,
                          };
}
