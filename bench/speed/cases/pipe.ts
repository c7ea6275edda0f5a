import type { Bench } from '../bench.ts';
import type { Command } from '../measure.ts';

/** `psql … | psql …`: what the databases themselves can do. */
export function pipe({ psql, postgres }: Bench, out: string, into: string): Command {
  return shell(`"$PSQL" -XqAt "$SOURCE" -c "$OUT" | "$PSQL" -Xq "$TARGET" ${into}`, {
    PSQL: psql ?? 'psql',
    SOURCE: postgres.source,
    TARGET: postgres.target,
    OUT: out,
  });
}

export function shell(script: string, env: Readonly<Record<string, string>>): Command {
  return { argv: ['bash', '-c', `set -e -o pipefail; ${script}`], env: { ...env, PGOPTIONS: '-c client_min_messages=error' } };
}
