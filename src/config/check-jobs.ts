import { isDeepStrictEqual } from 'node:util';
import { knownNames } from '../model/suggest.ts';
import { checkSchedule, checkTimezone } from './check-schedule.ts';
import { checkStreams, streamName } from './check-streams.ts';
import type { ConfigDocument, Finding } from './document.ts';
import { quoted } from './issue-text.ts';
import type { ConnectionPart, JobPart, Parts } from './parts.ts';
import { nameParts } from './stream-pattern.ts';

/** What is wrong with parts that decode but cannot be meant as they stand together. */
export function checkParts(parts: Parts, document: ConfigDocument): readonly Finding[] {
  const zone = parts.defaults === null ? [] : checkTimezone(parts.defaults.timezone, ['defaults', 'timezone']);
  return [...zone, ...checkState(parts.state), ...parts.jobs.flatMap((job) => checkJob(job, parts, document))];
}

function checkState(state: string | null): readonly Finding[] {
  if (state === null || /^(?:sqlite:.|postgres(?:ql)?:\/\/)/.test(state)) return [];
  return [{ path: ['state'], part: 'value', message: "'state' must be 'sqlite:' and a path, or a postgres:// URL" }];
}

function checkJob(job: JobPart, parts: Parts, document: ConfigDocument): readonly Finding[] {
  const ends = job.config === null ? [] : (['source', 'target'] as const).flatMap((end) => checkEnd(job, end, parts.connections));
  return [
    ...ends,
    ...checkSchedule(job.config?.schedule, [...job.path, 'schedule']),
    ...checkStreams(job, document),
    ...checkOwnTarget(job, parts.connections),
  ];
}

function checkEnd(job: JobPart, end: 'source' | 'target', connections: readonly ConnectionPart[]): readonly Finding[] {
  const name = job.config?.[end] ?? '';
  const names = connections.map((connection) => connection.name);
  if (names.includes(name)) return [];
  return [
    {
      path: [...job.path, end],
      part: 'value',
      message: `unknown connection ${quoted(name)}.${knownNames(name, names, 'Connections')}`,
    },
  ];
}

/** A stream that is written onto itself would find its own writes as changes, for ever. */
function checkOwnTarget(job: JobPart, connections: readonly ConnectionPart[]): readonly Finding[] {
  const source = connections.find(({ name }) => name === job.config?.source);
  const target = connections.find(({ name }) => name === job.config?.target);
  if (source === undefined || target === undefined || !sameSystem(source, target)) return [];
  return job.streams.flatMap(({ config, path }): Finding[] => {
    if (config === null || config.query !== undefined || config.from === undefined) return [];
    const name = streamName(config);
    const own =
      config.to === undefined ||
      config.to === '{schema}.{table}' ||
      (name !== null && nameParts(config.to).join('\0') === nameParts(name).join('\0'));
    if (!own) return [];
    return [
      {
        path: [...path, config.to === undefined ? 'from' : 'to'],
        part: 'value',
        message: `'${config.from}' would be written onto itself: source and target are the same system. Give it another name with 'to'`,
      },
    ];
  });
}

function sameSystem(a: ConnectionPart, b: ConnectionPart): boolean {
  return a.name === b.name || (a.connector !== null && a.connector === b.connector && isDeepStrictEqual(a.options, b.options));
}
