import type { Command } from 'commander';
import type { z } from 'zod';
import type { Connector } from '../../model/connector.ts';
import type { View } from '../outcome.ts';
import type { Dispatch } from '../dispatch.ts';
import { tableText } from '../text/table.ts';

export function addConnectors(program: Command, dispatch: Dispatch): void {
  program
    .command('connectors')
    .summary('the connectors that come with trueup')
    .description(
      'List the connectors that come with trueup. A path (./my-connector.ts) or the name of an npm package works as `connector:` as well.',
    )
    .action(() =>
      dispatch('connectors', async () => {
        const { connectors } = await import('../../../connectors/index.ts');
        const loaded = await Promise.all(Object.values(connectors).map(async (load) => (await load()).default));
        return {
          exitCode: 0,
          document: { command: 'connectors', exitCode: 0, connectors: loaded.map(describe) },
          text: (view) => connectorsText(loaded, view),
        };
      }),
    );
}

interface OptionInfo {
  readonly name: string;
  readonly description?: string;
  readonly secret: boolean;
}

function optionsOf(connector: Connector): OptionInfo[] {
  return Object.entries(connector.options.shape as Record<string, z.ZodType>).map(([name, schema]) => {
    const { description, secret } = schema.meta() ?? {};
    return { name, ...(description === undefined ? {} : { description }), secret: secret === true };
  });
}

function describe(connector: Connector): Record<string, unknown> {
  return { name: connector.name, summary: connector.summary, roles: rolesOf(connector), options: optionsOf(connector) };
}

function rolesOf({ openSource, openTarget, openState }: Connector): string[] {
  const roles = { source: openSource, target: openTarget, state: openState };
  return Object.entries(roles).flatMap(([role, open]) => (open === undefined ? [] : [role]));
}

function connectorsText(connectors: readonly Connector[], { style, width }: View): string {
  const table = tableText({
    columns: [{ title: 'connector' }, { title: 'as' }, { title: 'what', minWidth: 20 }],
    rows: connectors.map((connector) => [connector.name, rolesOf(connector).join(', '), connector.summary]),
    style,
    width,
  });
  const options = connectors.flatMap((connector) => [
    '',
    style.bold(`options of ${connector.name}`),
    tableText({
      columns: [{ title: 'option' }, { title: 'what', minWidth: 20 }],
      rows: optionsOf(connector).map(({ name, description, secret }) => [name, `${description ?? ''}${secret ? ' (secret)' : ''}`]),
      style,
      width,
      indent: 2,
    }),
  ]);
  return [table, ...options].join('\n');
}
