import type { Command } from 'commander';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { isTrueupError } from '../../errors.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Outcome } from '../outcome.ts';
import type { Session } from '../session.ts';
import { diagnosticLine } from '../failure-text.ts';
import { plural } from '../text/quantity.ts';
import { singleLine } from '../text/width.ts';
import { withApp } from '../with-app.ts';

export function addValidate(program: Command, dispatch: Dispatch): void {
  program
    .command('validate')
    .summary('every problem of the config and its mappings')
    .description(
      'Check the config and its mappings without connecting to anything. Every problem is listed at once: file:line:column [CODE] text.',
    )
    .action(() => dispatch('validate', validate));
}

async function validate(session: Session): Promise<Outcome> {
  try {
    return await withApp(session, async ({ config }) => valid(config));
  } catch (error) {
    const diagnostics = isTrueupError(error) ? (error.details.diagnostics ?? []) : [];
    if (diagnostics.length === 0) throw error;
    return invalid(diagnostics);
  }
}

function valid({ file, connections, jobs }: ResolvedConfig): Outcome {
  const document = {
    command: 'validate',
    exitCode: 0,
    file,
    valid: true,
    connections: [...connections.keys()],
    jobs: [...jobs.keys()],
    diagnostics: [],
  };
  return {
    exitCode: 0,
    document,
    text: ({ style }) =>
      `${singleLine(file)}: ${style.green('valid')}, ${plural(connections.size, 'connection')}, ${plural(jobs.size, 'job')}\n${style.dim('next:')} trueup plan`,
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
