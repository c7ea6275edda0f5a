import { TABLE } from '../source-table.ts';
import type { Place, TargetTable, Tool } from '../tool.ts';

export interface CommandToolOptions {
  readonly name: string;
  /** For the shell, so a pipe is fine. {source}, {target} and {dir} stand for the two URLs and the tool's own folder. */
  readonly template: string;
  /** Run once before the first run, with the same words. */
  readonly prepare?: string;
  readonly writes: TargetTable;
  readonly configuration?: string;
  readonly version?: string;
}

/** Any tool that a command line describes. Absent programs show as runs that fail. */
export function commandTool(options: CommandToolOptions): Tool {
  const shell = (template: string, place: Place) => ['sh', '-c', fill(template, place)];
  return {
    name: options.name,
    configuration: options.configuration ?? options.template,
    promise: 'not stated',
    packages: [],
    find: async () => ({ version: options.version ?? 'not stated' }),
    prepare: async () => {},
    command: (place) => ({
      argv: shell(options.prepare === undefined ? options.template : `${once(options.prepare)} && ${options.template}`, place),
    }),
    writes: options.writes,
    bookkeeping: /^$/,
  };
}

/** In the tool's folder, which a run starts in. */
const once = (prepare: string) => `{ [ -e .prepared ] || { ${prepare}; } && touch .prepared; }`;

function fill(template: string, { source, target, dir }: Place): string {
  const words: Record<string, string> = { source, target, dir, table: `${TABLE.schema}.${TABLE.name}` };
  return template.replaceAll(/\{(source|target|dir|table)\}/g, (_, word: string) => `'${words[word] ?? ''}'`);
}
