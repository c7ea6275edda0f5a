import type { BsonMap, Values } from './document.ts';
import type { BsonValue } from '../bson/value.ts';
import { isDotted } from './path.ts';

/**
 * The update that sets these fields where one of them has a dot in its name, which only an expression can name (MongoDB 5.0). The document stays as it is
 * where it is equal already, as with other updates.
 *
 * @param mark the field that marks documents as deleted; `null`: there is none
 */
export function pipelineOf({ set }: Pick<Values, 'set'>, mark: string | null): BsonMap[] {
  const plain: [string, BsonValue][] = [];
  const stages: BsonMap[] = [];
  for (const [{ name, path }, value] of set) {
    if (isDotted(path)) stages.push(stage('$replaceWith', stage('$setField', setField(path[0] as string, value))));
    else plain.push([name, literal(value)]);
  }
  if (mark !== null) plain.push([mark, literal(null)]);
  return plain.length === 0 ? stages : [stage('$set', new Map(plain)), ...stages];
}

function setField(field: string, value: BsonValue): BsonMap {
  return new Map<string, BsonValue>([
    ['field', field],
    ['input', '$$ROOT'],
    ['value', literal(value)],
  ]);
}

function literal(value: BsonValue): BsonMap {
  return stage('$literal', value);
}

function stage(name: string, value: BsonValue): BsonMap {
  return new Map([[name, value]]);
}
