import type { Command } from 'commander';
import type { ResolvedConfig } from '../../config/resolved.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Outcome } from '../outcome.ts';
import type { Session } from '../session.ts';
import { diagnosticLine } from '../failure-text.ts';
import { plural } from '../text/quantity.ts';
import { singleLine } from '../text/width.ts';

export function addValidate(program: Command, dispatch: Dispatch): void {
  program
    .command('validate')
    .summary('every problem of the config and its mappings')
    .description(
      'Check the config and its mappings without connecting to anything. Every problem is listed at once: file:line:column [CODE] text.',
    )
    .action(() => dispatch('validate', validate));
}

async function validate({ flags, cwd, env, hide }: Session): Promise<Outcome> {
  const { loadConfig } = await import('../../config/load-config.ts');
  const { createConnectorLoader } = await import('../../config/connectors.ts');
  const { connectors } = await import('../../../connectors/index.ts');
  const loadConnector = createConnectorLoader(connectors);
  const { config, diagnostics } = await loadConfig({
    ...(flags.config === undefined ? {} : { file: flags.config }),
    cwd,
    env,
    loadConnector,
  });
  hide(config?.secrets ?? []);
  return config === null ? invalid(diagnostics) : valid(config, diagnostics);
}

function valid({ file, connections, jobs }: ResolvedConfig, warnings: readonly Diagnostic[]): Outcome {
  const document = {
    command: 'validate',
    exitCode: 0,
    file,
    valid: true,
    connections: [...connections.keys()],
    jobs: [...jobs.keys()],
    diagnostics: warnings,
  };
  return {
    exitCode: 0,
    document,
    text: ({ style }) => {
      const told = `${singleLine(file)}: ${style.green('valid')}, ${plural(connections.size, 'connection')}, ${plural(jobs.size, 'job')}`;
      return [...warnings.map((warning) => diagnosticLine(warning, style)), told, `${style.dim('next:')} trueup plan`].join('\n');
    },
  };
}

function invalid(diagnostics: readonly Diagnostic[]): Outcome {
  return {
    exitCode: 2,
    document: { command: 'validate', exitCode: 2, valid: false, diagnostics },
    text: ({ style }) =>
      [...diagnostics.map((diagnostic) => diagnosticLine(diagnostic, style)), plural(diagnostics.length, 'problem')].join('\n'),
  };
}
