import type { DemoReport } from './demo-report.ts';
import type { Stage } from './stage.ts';
import { runTrueup } from './trueup-child.ts';

interface PrintedLetter {
  readonly key: string;
  readonly code: string;
  readonly message: string;
}

/** A row that the archive refuses becomes a dead letter; once it is mended in the shop, the next run takes the letter away. */
export async function deadLetterScene({ folder, story, signal, shop, archive }: Stage): Promise<DemoReport['deadLetter']> {
  const run = (expect: number) => runTrueup(['run'], { cwd: folder, signal, expect });
  const letters = async () => {
    const document = await runTrueup(['dead-letters', 'list'], { cwd: folder, signal });
    return (document as { letters: readonly PrintedLetter[] }).letters;
  };
  story.working('a row that the archive refuses');
  await archive.query('alter table orders add constraint total_is_not_negative check (total >= 0)');
  await shop.query('update orders set total = -1, updated_at = now() where id = 4711');
  const exitCode = 3;
  await run(exitCode);
  const [letter] = await letters();
  if (letter === undefined) throw new Error('the run with a bad row left no dead letter');
  story.working('the row is mended');
  await shop.query('update orders set total = 47.11, updated_at = now() where id = 4711');
  await run(0);
  const lettersAfterMending = (await letters()).length;
  story.happened('A row that the archive refuses', [
    `exit code ${exitCode} and a dead letter: key ${letter.key}, [${letter.code}] ${letter.message}`,
    `mended in the shop and run again: ${lettersAfterMending} dead letters left`,
  ]);
  return { key: letter.key, code: letter.code, message: letter.message, exitCode, lettersAfterMending };
}
