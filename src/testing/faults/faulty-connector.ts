import { connectors } from '../../../connectors/index.ts';
import type { CheckpointStore } from '../../model/checkpoint.ts';
import { defineConnector } from '../../model/connector.ts';
import type { Connector } from '../../model/connector.ts';
import type { Batch, Source, Target } from '../../model/contracts.ts';
import { readPlan } from './fault-plan.ts';
import { createSteps } from './steps.ts';
import type { Steps } from './steps.ts';
import { signalOf, watched } from './watch.ts';

const byPlan = new Map<string, Steps>();

/** The steps of this process: source and target count together. */
export function stepsOf(planFile: string): Steps {
  const steps = byPlan.get(planFile) ?? createSteps(readPlan(planFile));
  byPlan.set(planFile, steps);
  return steps;
}

/** A connector that comes with trueup, by its name. */
export async function builtIn(name: string): Promise<Connector> {
  const load = connectors[name];
  if (load === undefined) throw new Error(`There is no built-in connector '${name}'. Known: ${Object.keys(connectors).join(', ')}.`);
  return (await load()).default;
}

/** The same connector, with a fail point before and after each step of what it opens. Its options, cursors and capabilities stay as they are. */
export function faulty(connector: Connector, steps: Steps): Connector {
  const { openSource, openTarget, openState, ...rest } = connector;
  return defineConnector({
    ...rest,
    ...(openSource === undefined ? {} : { openSource: (...given) => faultySource(openSource(...given), steps) }),
    ...(openTarget === undefined ? {} : { openTarget: (...given) => faultyTarget(openTarget(...given), steps) }),
    ...(openState === undefined ? {} : { openState: (...given) => watched(openState(...given), 'store', steps) }),
  });
}

export function faultySource(source: Source, steps: Steps): Source {
  return watched(source, 'source', steps, {
    fetchChanges: (real) => (request) => changes(real(request) as AsyncIterable<Batch>, steps, signalOf([request])),
  });
}

async function* changes(real: AsyncIterable<Batch>, steps: Steps, signal?: AbortSignal): AsyncGenerator<Batch> {
  await steps.reach('source.fetchChanges', 'before', signal);
  for await (const batch of real) {
    const fate = await steps.reach('source.batch', 'before', signal);
    yield fate === 'drop' ? withoutFirst(batch) : batch;
    if (fate === 'twice') yield batch;
    await steps.reach('source.batch', 'after', signal);
  }
  await steps.reach('source.fetchChanges', 'after', signal);
}

function withoutFirst(batch: Batch): Batch {
  const { count } = batch.records;
  if (count === 0) return batch;
  return { ...batch, records: batch.records.slice(1, count), ops: batch.ops?.slice(1) ?? null };
}

export function faultyTarget(target: Target, steps: Steps): Target {
  const { checkpoints } = target;
  const store = checkpoints === undefined ? undefined : watched<CheckpointStore>(checkpoints, 'store', steps);
  const opened = watched(target, 'target', steps, {
    openLane:
      (real) =>
      async (...given) => {
        await steps.reach('target.openLane', 'before', signalOf(given));
        const lane = (await real(...given)) as object;
        await steps.reach('target.openLane', 'after', signalOf(given));
        return watched(lane, 'lane', steps);
      },
  });
  return store === undefined ? opened : withStore(opened, store);
}

/** The target keeps giving the same store: who compares them is not to notice. */
function withStore(target: Target, store: CheckpointStore): Target {
  return new Proxy(target, { get: (of, member) => (member === 'checkpoints' ? store : (Reflect.get(of, member) as unknown)) });
}
