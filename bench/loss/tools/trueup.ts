import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TABLE } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const LAUNCHER = fileURLToPath(new URL('../../../bin/trueup.js', import.meta.url));
const PACKAGE = new URL('../../../package.json', import.meta.url);

const config = (changes: string) => `connections:
  source: { connector: postgres, url: "\${SOURCE_URL}" }
  target: { connector: postgres, url: "\${TARGET_URL}" }
jobs:
  orders:
    source: source
    target: target
    streams:
      - from: ${TABLE.schema}.${TABLE.name}
        changes: ${changes}
`;

const DELIVERED = 'a row is delivered even when it commits after rows with a later stamp were read (`lateCommits: delivered`)';

function trueupTool(name: string, changes: string, promise: string): Tool {
  return {
    name,
    configuration: `changes: ${changes}, all else by default`,
    promise,
    packages: [],
    find: async () => ({ version: (JSON.parse(await readFile(PACKAGE, 'utf8')) as { version: string }).version }),
    prepare: ({ dir }) => writeFile(join(dir, 'trueup.yaml'), config(changes)),
    command: ({ source, target }) => ({ argv: [process.execPath, LAUNCHER, 'run'], env: { SOURCE_URL: source, TARGET_URL: target } }),
    writes: { schema: TABLE.schema, name: TABLE.name },
    bookkeeping: /^trueup\./,
  };
}

export const trueup = trueupTool(
  'trueup',
  `{ by: cursor, field: ${TABLE.cursor} }`,
  `${DELIVERED}, if the database's clock sets the stamp`,
);
/** Needs no stamp, and reads the whole table in every run. */
export const trueupXmin = trueupTool('trueup-xmin', '{ by: xmin }', `${DELIVERED}, whatever its stamp`);
