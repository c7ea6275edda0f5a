import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NOT_INSTALLED, packageVersion, pythonProgram } from '../python.ts';
import { TABLE } from '../source-table.ts';
import type { Place, Tool } from '../tool.ts';

const MELTANO = 'meltano';
const TAP = 'meltano-tap-postgres';
const TARGET = 'meltano-target-postgres';
const SCHEMA = 'copy';

function project({ source, target, toolsDir }: Place): string {
  return `default_environment: bench
environments:
- name: bench
project_id: loss
send_anonymous_usage_stats: false
plugins:
  extractors:
  - name: tap-postgres
    namespace: tap_postgres
    executable: ${pythonProgram(toolsDir, TAP, 'tap-postgres')}
    capabilities: [catalog, discover, state]
    settings:
    - name: sqlalchemy_url
    - name: filter_schemas
      kind: array
    config: { sqlalchemy_url: "${sqlAlchemy(source, 'psycopg2')}", filter_schemas: [${TABLE.schema}] }
    select: ["${TABLE.schema}-${TABLE.name}.*"]
    metadata:
      ${TABLE.schema}-${TABLE.name}: { replication-method: INCREMENTAL, replication-key: ${TABLE.cursor} }
  loaders:
  - name: target-postgres
    namespace: target_postgres
    executable: ${pythonProgram(toolsDir, TARGET, 'target-postgres')}
    settings:
    - name: sqlalchemy_url
    - name: default_target_schema
    - name: load_method
    - name: use_copy
      kind: boolean
    config: { sqlalchemy_url: "${sqlAlchemy(target, 'psycopg')}", default_target_schema: ${SCHEMA}, load_method: upsert, use_copy: true }
`;
}

/** The tap and the target come with different drivers. */
const sqlAlchemy = (url: string, driver: 'psycopg' | 'psycopg2') => url.replace('postgres://', `postgresql+${driver}://`);

/** The Singer way: a tap, a target, and Meltano, which keeps the tap's state between runs. */
export const meltano: Tool = {
  name: 'meltano',
  configuration:
    'meltano run --force with tap-postgres and target-postgres of MeltanoLabs: replication-method INCREMENTAL, replication-key updated_at; load_method upsert, use_copy',
  promise: 'at least once: no record goes missing, some may come twice',
  packages: [
    { name: MELTANO, requirements: ['meltano==4.4.1'] },
    { name: TAP, requirements: ['meltanolabs-tap-postgres==0.10.0'] },
    { name: TARGET, requirements: ['meltanolabs-target-postgres==0.8.1'] },
  ],
  async find(toolsDir) {
    const [core, tap, target] = await Promise.all([
      packageVersion(toolsDir, MELTANO, 'meltano'),
      packageVersion(toolsDir, TAP, 'meltanolabs-tap-postgres'),
      packageVersion(toolsDir, TARGET, 'meltanolabs-target-postgres'),
    ]);
    if (core === null || tap === null || target === null) return { absent: NOT_INSTALLED };
    return { version: `${core}, tap ${tap}, target ${target}` };
  },
  prepare: (place) => writeFile(join(place.dir, 'meltano.yml'), project(place)),
  // --force: else every run is refused, loudly, until the heartbeat of a killed one is five minutes old. Two never run at once here.
  command: ({ toolsDir }) => ({ argv: [pythonProgram(toolsDir, MELTANO, 'meltano'), 'run', '--force', 'tap-postgres', 'target-postgres'] }),
  writes: { schema: SCHEMA, name: TABLE.name },
  bookkeeping: /^$/,
};
