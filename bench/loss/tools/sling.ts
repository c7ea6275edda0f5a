import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NOT_INSTALLED, packageVersion } from '../python.ts';
import { TABLE } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const ENVIRONMENT = 'sling';
/** The package that has the program in it; those after it download it from elsewhere when they start for the first time. */
const PACKAGE = 'sling-linux-amd64';
const LOOKBACK_SECONDS = 10;

/** It is no entry on the environment's path. */
const program = (toolsDir: string) =>
  globSync(join(toolsDir, ENVIRONMENT, 'lib/*/site-packages/sling_linux_amd64/bin/sling-linux-amd64'))[0] ?? 'sling';

const replication = (lookbackSeconds: number) => `source: SOURCE
target: TARGET
streams:
  ${TABLE.schema}.${TABLE.name}:
    mode: incremental
    primary_key: [${TABLE.key}]
    update_key: ${TABLE.cursor}
    object: copy.${TABLE.name}
${lookbackSeconds === 0 ? '' : customSql(lookbackSeconds)}`;

const customSql = (seconds: number) => `    sql: >
      select * from ${TABLE.schema}.${TABLE.name} where ${TABLE.cursor} >=
      coalesce(cast({incremental_value} as timestamptz), '1970-01-01') - interval '${seconds} seconds'
`;

const COMMON = 'replication with mode incremental, primary_key id, update_key updated_at';

function slingTool(name: string, lookbackSeconds: number): Tool {
  return {
    name,
    configuration: lookbackSeconds === 0 ? COMMON : `${COMMON}, custom SQL that reads ${lookbackSeconds} s back from {incremental_value}`,
    promise: lookbackSeconds === 0 ? 'only new records after max(update_key) are loaded' : 'what the user writes into the query',
    packages: [{ name: ENVIRONMENT, requirements: [`${PACKAGE}==1.4.11`] }],
    async find(toolsDir) {
      const version = await packageVersion(toolsDir, ENVIRONMENT, PACKAGE);
      return version === null ? { absent: NOT_INSTALLED } : { version };
    },
    prepare: ({ dir }) => writeFile(join(dir, 'replication.yaml'), replication(lookbackSeconds)),
    command: ({ source, target, toolsDir }) => ({
      argv: [program(toolsDir), 'run', '-r', 'replication.yaml'],
      env: { SOURCE: `${source}?sslmode=disable`, TARGET: `${target}?sslmode=disable` },
    }),
    writes: { schema: 'copy', name: TABLE.name },
    bookkeeping: /^$/,
  };
}

export const sling = slingTool('sling', 0);
export const slingLookback = slingTool('sling-lookback', LOOKBACK_SECONDS);
