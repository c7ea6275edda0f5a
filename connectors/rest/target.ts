import type { ConnectorContext, StreamRef, Target, TargetStream } from '../../src/sdk.ts';
import { openApi } from './api.ts';
import { fetchRows, scanStream } from './fetch-by.ts';
import { identityOf } from './identity.ts';
import { Knowledge } from './knowledge.ts';
import { openRestLane } from './lane.ts';
import type { RestOptions } from './options.ts';
import type { Reading } from './pass.ts';
import { planOf, planStreams } from './stream-plan.ts';
import { planTarget } from './target-plan.ts';

const LOOKUP = { batchRows: 1000, batchBytes: 4 * 2 ** 20 };

/** Records as resources of an API. Read back, they are read as the types that were written. */
export function openRestTarget(options: RestOptions, context: ConnectorContext): Target {
  const plans = planStreams(options);
  const api = openApi(options, context);
  const knowledge = new Knowledge(options, api, context);
  const canDelete = [...plans.values()].some(({ declared }) => declared.delete !== undefined);

  const reading = (stream: TargetStream, fields: readonly string[], signal: AbortSignal): Reading => {
    const key = stream.shape.key.map((index) => stream.shape.fields[index]?.name ?? '');
    const plan = planOf(plans, stream.target);
    const written = stream.shape.fields.map(({ name, type }) => ({ name, type, path: [name], parent: null }));
    const ref: StreamRef = { name: stream.target, changes: { by: 'snapshot' }, key, fields, except: [], maxRecordBytes: Infinity };
    return { knowledge, plan: { ...plan, fields: written }, stream: ref, request: { ...LOOKUP, signal } };
  };

  return {
    identity: async () => identityOf(options),
    writes: 'state',
    ops: new Set(canDelete ? ['upsert', 'delete'] : ['upsert']),
    plan: async (streams) => ({ streams: streams.map((stream) => planTarget(plans, stream)) }),
    apply: async () => {},
    openLane: async ({ owner, streams }) => openRestLane({ api, plans, owner, streams, atOnce: options.lookups }),
    scan: ({ stream, fields, signal }) => scanStream(reading(stream, fields, signal)),
    fetchBy: (stream, fields, values, signal) =>
      fetchRows(
        {
          ...reading(
            stream,
            stream.shape.fields.map(({ name }) => name),
            signal,
          ),
          api,
          lookups: options.lookups,
        },
        fields,
        values,
      ),
    close: () => api.close(),
  };
}
