import { TrueupError } from '../../errors.ts';
import type { Letter } from '../../model/checkpoint.ts';
import { acquireLease } from '../acquire-lease.ts';
import { checkpointStore } from '../job-context.ts';
import type { JobContext } from '../job-context.ts';
import type { Group, JobRun } from '../job-run.ts';
import { replayKeys } from '../run-groups.ts';

export interface LetterChoice {
  readonly job: string;
  readonly stream?: string;
  /** Keys as typed; none: all. */
  readonly keys: readonly string[];
}

/** The letters that were meant. A plain value stands for a single key. */
export async function chooseLetters(context: JobContext, choice: LetterChoice, signal: AbortSignal): Promise<Letter[]> {
  const all = await checkpointStore(context).letters(
    { job: choice.job, ...(choice.stream === undefined ? {} : { stream: choice.stream }) },
    signal,
  );
  if (choice.keys.length === 0) return all;
  const chosen = all.filter((letter) => choice.keys.some((key) => isKey(letter, key)));
  const unknown = choice.keys.filter((key) => !all.some((letter) => isKey(letter, key)));
  if (unknown.length > 0)
    throw new TrueupError('E_USAGE', `job '${choice.job}' has no dead letter with key ${unknown.join(', ')}`, {
      hint: '`trueup dead-letters list` shows the keys.',
    });
  return chosen;
}

function isKey(letter: Letter, typed: string): boolean {
  return letter.key === typed || letter.key === JSON.stringify([typed]);
}

/** Forgets letters without writing their records. Takes the lease, so that no run resolves them at the same time. */
export async function dropLetters(context: JobContext, choice: LetterChoice, run: string, signal: AbortSignal): Promise<number> {
  const letters = await chooseLetters(context, choice, signal);
  if (letters.length === 0) return 0;
  const store = checkpointStore(context);
  const owner = await acquireLease(context, run, signal);
  try {
    return await store.save(owner, { resolved: letters }, signal);
  } finally {
    await store.release(owner, signal);
  }
}

/** Reads the records of letters again from the source and writes them as they are now. Letters without a key can only be dropped. */
export function replayLetters(choice: LetterChoice): (run: JobRun, groups: readonly Group[]) => Promise<void> {
  return async (run, groups) => {
    const letters = await chooseLetters(run.context, choice, run.signals.abort);
    for (const group of groups) {
      for (const stream of group.streams) {
        const keys = letters
          .filter((letter) => letter.stream === stream.planned.name && !letter.key.startsWith('position:'))
          .map((letter) => letter.key);
        try {
          if (keys.length > 0) await replayKeys(run, group, stream, keys);
          stream.status = 'succeeded';
        } catch (error) {
          Object.assign(stream, { status: 'failed', error });
        }
      }
    }
  };
}
