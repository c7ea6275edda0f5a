import { checkpointStore } from '../pipeline/job-context.ts';
import { explain } from './explain.ts';
import { lookAt } from './look.ts';
import { settle } from './settle.ts';
import type { StreamFindings } from './verify-stream.ts';

/** Looks at the records that were repaired once more, as at any others. Returns how many still differ without being explained. */
export async function secondLook({ work, findings }: StreamFindings, pauseMs?: number): Promise<number> {
  const { context, signal, planned } = work;
  const store = checkpointStore(context);
  const candidates = findings.map(({ candidate }) => candidate);
  const named = candidates.filter(({ key }) => !key.startsWith('position:'));
  const settled = await settle(named, {
    look: (some) => lookAt(work, some),
    checkpoints: () => store.list(context.job.name, signal),
    signal,
    ...(pauseMs === undefined ? {} : { pauseMs }),
  });
  const letters = await store.letters({ job: context.job.name, stream: planned.name }, signal);
  const left = (await explain(work, settled, letters)).filter(
    ({ verdict }) => verdict === 'missing' || verdict === 'extra' || verdict === 'different',
  );
  return left.length + candidates.length - named.length;
}
