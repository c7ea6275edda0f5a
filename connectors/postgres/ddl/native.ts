import type { Field, Problem, TargetStream } from '../../../src/sdk.ts';
import { readTypes } from '../values/native-read.ts';
import { defineStatements } from '../values/native.ts';
import type { PgTypes } from '../values/native.ts';
import { quoteText } from '../quote.ts';
import type { Session } from '../session/session.ts';

/** What a native type needs before a column of it can be filled. */
export interface NativePlan {
  readonly statements: readonly string[];
  readonly problems: readonly Problem[];
}

/** By the text of the native type. Types that are there as the source has them need nothing. */
export type NativePlans = ReadonlyMap<string, NativePlan>;

/** Looks at every native type of the streams: whether the target has it, and as the source defines it. */
export async function planNatives(session: Session, streams: readonly TargetStream[]): Promise<NativePlans> {
  const fields = streams.flatMap(({ shape }) => shape.fields).filter((field) => field.native?.system === 'postgres');
  const byType = new Map(fields.map((field) => [field.native?.type as string, field]));
  const oids = await lookUp(session, [...byType.keys()]);
  const types = await readTypes(session, new Set([...oids.values()].filter((oid) => oid !== null)));
  return new Map([...byType].map(([text, field]) => [text, planNative(field, oids.get(text) ?? null, types)]));
}

async function lookUp(session: Session, texts: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
  const rows = await session.query(`select t, pg_catalog.to_regtype(t)::oid::text from pg_catalog.json_array_elements_text($1::json) t`, [
    JSON.stringify(texts),
  ]);
  return new Map(rows.map(([text, oid]) => [text as string, oid ?? null]));
}

function planNative({ name, native }: Field, oid: string | null, types: PgTypes): NativePlan {
  const define = native?.define ?? [];
  if (oid === null && !define.some((statement) => MAKES.test(statement) || statement.startsWith('create extension '))) {
    const message = `Field '${name}' has the type ${native?.type} in the source, which the target does not have and trueup cannot make. Create it there, or map the field to another type.`;
    return { statements: [], problems: [{ severity: 'error', code: 'E_DRIFT', message }] };
  }
  if (oid === null) return { statements: define, problems: [] };
  return compare(define, defineStatements(oid, types));
}

/** `create type "public"."mood"` and `create domain …`: what a statement makes. */
const MAKES = /^create (type|domain) ("(?:[^"]|"")*"\."(?:[^"]|"")*")( as enum \()?/;

function compare(wanted: readonly string[], found: readonly string[]): NativePlan {
  const statements: string[] = [];
  const problems: Problem[] = [];
  for (const statement of wanted) {
    const [start, kind, name, isEnum] = MAKES.exec(statement) ?? [];
    const other = found.find((candidate) => start !== undefined && candidate.startsWith(start));
    if (other === statement || start === undefined) continue;
    if (isEnum !== undefined && other !== undefined) statements.push(...missingLabels(name as string, labels(statement), labels(other)));
    else {
      const message = `The ${kind} ${name} is defined otherwise in the target than in the source, so values may be refused.`;
      problems.push({ severity: kind === 'domain' ? 'warning' : 'error', code: 'E_DRIFT', message, statements: [statement] });
    }
  }
  return { statements, problems };
}

/** Each is put where the source has it, since labels are compared by their order. */
function missingLabels(name: string, wanted: readonly string[], found: readonly string[]): string[] {
  return wanted.flatMap((label, index) => {
    if (found.includes(label)) return [];
    const before = wanted[index - 1];
    const place = before === undefined ? (found[0] === undefined ? '' : ` before ${quoteText(found[0])}`) : ` after ${quoteText(before)}`;
    return [`alter type ${name} add value if not exists ${quoteText(label)}${place}`];
  });
}

/** The labels of a `create type … as enum ('a', 'b')` that `defineStatements` wrote. */
function labels(statement: string): string[] {
  const list = statement.slice(statement.indexOf(' as enum (') + ' as enum ('.length, -1);
  return [...list.matchAll(/(E?)'((?:[^']|'')*)'/g)].map(([, escaped, text = '']) => {
    const plain = text.replaceAll("''", "'");
    return escaped === 'E' ? plain.replaceAll('\\\\', '\\') : plain;
  });
}
