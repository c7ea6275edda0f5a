import { fileURLToPath } from 'node:url';
import { TABLE } from '../source-table.ts';
import type { Tool } from '../tool.ts';

const PROGRAM = fileURLToPath(new URL('../cursor-loop-program.ts', import.meta.url));

/** What one writes by hand in an hour. The reference for what is lost without a thought about late commits. */
export const cursorLoop: Tool = {
  name: 'cursor-loop',
  configuration: 'select … where updated_at >= (select max(updated_at) from target), insert … on conflict do update, in one transaction',
  promise: 'nothing',
  packages: [],
  find: async () => ({ version: '–' }),
  prepare: async () => {},
  command: ({ source, target }) => ({ argv: [process.execPath, PROGRAM, source, target] }),
  writes: { schema: TABLE.schema, name: TABLE.name },
  bookkeeping: /^$/,
};
