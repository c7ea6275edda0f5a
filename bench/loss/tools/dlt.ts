import { fileURLToPath } from 'node:url';
import { NOT_INSTALLED, packageVersion, pythonProgram } from '../python.ts';
import { TABLE } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const SCRIPT = fileURLToPath(new URL('dlt_orders.py', import.meta.url));
const ENVIRONMENT = 'dlt';
const DATASET = 'copy';
/** Longer than the transactions of the test `late`, shorter than those of the test `long`. */
const LAG_SECONDS = 10;

const COMMON = 'sql_table with incremental("updated_at"), write disposition merge, strategy upsert, primary key id';

function dltTool(name: string, lagSeconds: number): Tool {
  return {
    name,
    configuration: lagSeconds === 0 ? COMMON : `${COMMON}, lag=${lagSeconds} (seconds)`,
    promise:
      lagSeconds === 0
        ? 'rows with a cursor value from the last one on are loaded'
        : 'what was written within the lag is fetched again; the user chooses it',
    packages: [{ name: ENVIRONMENT, requirements: ['dlt[postgres]==1.31.0', 'sqlalchemy==2.1.9', 'psycopg2-binary==2.9.13'] }],
    async find(toolsDir) {
      const version = await packageVersion(toolsDir, ENVIRONMENT, 'dlt');
      return version === null ? { absent: NOT_INSTALLED } : { version };
    },
    prepare: async () => {},
    command: ({ source, target, dir, toolsDir }) => ({
      argv: [pythonProgram(toolsDir, ENVIRONMENT, 'python'), SCRIPT, source, target, dir, DATASET, String(lagSeconds)],
    }),
    writes: { schema: DATASET, name: TABLE.name },
    // The staging dataset stays by design: it is emptied and used again by the next load.
    bookkeeping: new RegExp(`^(${DATASET}|${DATASET}_staging)\\._dlt_|^${DATASET}_staging\\.${TABLE.name}$`),
  };
}

export const dlt = dltTool('dlt', 0);
export const dltLag = dltTool('dlt-lag', LAG_SECONDS);
