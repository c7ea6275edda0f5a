import type { Command } from 'commander';
import type { MappingTestReport } from '../../api.ts';
import type { Dispatch } from '../dispatch.ts';
import { diagnosticLine } from '../failure-text.ts';
import type { Outcome, View } from '../outcome.ts';
import type { Session } from '../session.ts';
import { plural } from '../text/quantity.ts';
import { printable, singleLine } from '../text/width.ts';

export function addTest(program: Command, dispatch: Dispatch): void {
  program
    .command('test')
    .summary('run the cases beside mappings')
    .description('Run the cases of mappings: those of mappings/orders.yaml stand in mappings/orders.test.yaml. Connects to nothing.')
    .argument('[mapping...]', 'mapping or case files; none: all that the config uses')
    .action((mappings: string[]) => dispatch('test', (session) => test(session, mappings)));
}

async function test(session: Session, mappings: readonly string[]): Promise<Outcome> {
  const { testMappings } = await import('../../app.ts');
  const { cwd, env, log, flags } = session;
  const report = await testMappings({ cwd, env, log, ...(flags.config === undefined ? {} : { configFile: flags.config }) }, mappings);
  const exitCode = exitCodeOf(report);
  return { exitCode, document: { command: 'test', exitCode, ...report }, text: (view) => testText(report, view) };
}

/** A file that cannot be read outweighs a case that fails. */
function exitCodeOf({ files, diagnostics }: MappingTestReport): number {
  if (diagnostics.some((diagnostic) => diagnostic.severity === 'error')) return 2;
  return files.some((file) => file.cases.some((one) => !one.passed)) ? 1 : 0;
}

function testText({ files, diagnostics }: MappingTestReport, { style }: View): string {
  const cases = files.flatMap((file) => file.cases);
  const failed = cases.filter((one) => !one.passed).length;
  const lines = files.flatMap((file) => [
    style.bold(singleLine(file.file)),
    ...file.cases.flatMap(({ name, passed, message }) => [
      `  ${passed ? style.green('ok') : style.red('failed')}  ${singleLine(name)}`,
      ...(message === undefined
        ? []
        : printable(message)
            .split('\n')
            .map((line) => `        ${line}`)),
    ]),
  ]);
  const verdict =
    failed === 0 ? style.green(`${plural(cases.length, 'case')} passed`) : style.red(`${failed} of ${plural(cases.length, 'case')} failed`);
  return [...diagnostics.map((diagnostic) => diagnosticLine(diagnostic, style)), ...lines, verdict].join('\n');
}
