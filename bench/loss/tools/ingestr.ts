import { NOT_INSTALLED, packageVersion, pythonProgram } from '../python.ts';
import { TABLE } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const ENVIRONMENT = 'ingestr';
const SCHEMA = 'copy';

/** The last releases in Python. From 1.0 on the package downloads its program from elsewhere when it starts for the first time. */
export const ingestr: Tool = {
  name: 'ingestr',
  configuration: 'ingest with --incremental-strategy merge, --incremental-key updated_at, --primary-key id',
  promise: 'only the new rows since the last run are ingested, by the incremental key',
  packages: [{ name: ENVIRONMENT, requirements: ['ingestr==0.14.155'] }],
  async find(toolsDir) {
    const version = await packageVersion(toolsDir, ENVIRONMENT, 'ingestr');
    return version === null ? { absent: NOT_INSTALLED } : { version };
  },
  prepare: async () => {},
  command: ({ source, target, toolsDir }) => ({
    argv: [pythonProgram(toolsDir, ENVIRONMENT, 'ingestr'), 'ingest', ...flags(source, target)],
  }),
  writes: { schema: SCHEMA, name: TABLE.name },
  bookkeeping: new RegExp(`^(${SCHEMA}|.*_staging)\\._dlt_|_staging\\.${TABLE.name}$`),
};

function flags(source: string, target: string): string[] {
  const values = {
    'source-uri': sqlAlchemy(source),
    'source-table': `${TABLE.schema}.${TABLE.name}`,
    'dest-uri': sqlAlchemy(target),
    'dest-table': `${SCHEMA}.${TABLE.name}`,
    'incremental-strategy': 'merge',
    'incremental-key': TABLE.cursor,
    'primary-key': TABLE.key,
    progress: 'log',
  };
  return [...Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]), '--yes'];
}

const sqlAlchemy = (url: string) => url.replace('postgres://', 'postgresql://');
