import { typeText } from '../../src/sdk.ts';
import type { Problem, TargetStream, TargetStreamPlan } from '../../src/sdk.ts';
import type { StreamPlan } from './stream-plan.ts';
import { namesInPath } from './template.ts';

/** An API has no tables to make: what can be wrong is what the config says of it. */
export function planTarget(plans: ReadonlyMap<string, StreamPlan>, stream: TargetStream): TargetStreamPlan {
  return {
    stream: stream.stream,
    target: stream.target,
    fields: stream.shape.fields.map(({ name, type }) => ({ name, targetType: `JSON of ${typeText(type)}` })),
    forms: ['cells'],
    statements: [],
    creates: false,
    problems: problemsOf(plans, stream),
    dependsOn: [],
  };
}

function problemsOf(plans: ReadonlyMap<string, StreamPlan>, stream: TargetStream): Problem[] {
  const { target, shape, guard, onDelete } = stream;
  const declared = plans.get(target)?.declared;
  const error = (code: Problem['code'], message: string): Problem => ({ severity: 'error', code, message });
  const writable = [...plans.values()].filter((plan) => plan.declared.upsert !== undefined).map((plan) => plan.name);
  if (declared?.upsert === undefined)
    return [
      error(
        'E_STREAM_UNKNOWN',
        `there is no stream '${target}' with \`upsert\` to write to. Streams with it: ${writable.join(', ') || 'none'}`,
      ),
    ];
  const names = shape.fields.map(({ name }) => name);
  const keys = shape.key.map((index) => names[index]);
  if (keys.length === 0) return [error('E_STREAM_KEY', `the records for '${target}' have no key, which tells an upsert what it replaces`)];
  const { upsert } = declared;
  const found: Problem[] = [];
  const missing = namesInPath(upsert.path).filter((name) => !names.includes(name));
  if (missing.length > 0)
    found.push(
      error('E_STREAM_UNKNOWN', `the path of \`upsert\` of '${target}' needs ${missing.join(', ')}, which the records do not have`),
    );
  if (upsert.batch !== undefined && namesInPath(upsert.path).length > 0)
    found.push(error('E_CONFIG_INVALID', `the path of \`upsert\` of '${target}' takes fields of one record, but \`batch\` sends several`));
  const unkeyed = namesInPath(declared.delete?.path ?? '').filter((name) => !keys.includes(name));
  if (unkeyed.length > 0)
    found.push(error('E_STREAM_KEY', `the path of \`delete\` of '${target}' needs ${unkeyed.join(', ')}, which the key does not have`));
  if (guard !== undefined)
    found.push(
      error(
        'E_CONFIG_INVALID',
        `an API cannot be asked to refuse what is older by '${guard}': leave \`guard\` out, or let it answer 409 with \`conflict: superseded\``,
      ),
    );
  if (typeof onDelete === 'object')
    found.push(
      error('E_CONFIG_INVALID', `an API cannot be told to mark what is deleted: map a field instead, or use \`onDelete: ignore\``),
    );
  if (onDelete === 'delete' && declared.delete === undefined)
    found.push({
      severity: 'warning',
      code: 'E_CHANGES_LIMITED',
      message: `stream '${target}' has no \`delete\`: deletes become dead letters. Name an endpoint, or say \`onDelete: ignore\``,
    });
  return found;
}
