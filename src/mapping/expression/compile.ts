import { Environment as CelEnvironment, ParseError } from '@marcbachmann/cel-js';
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Cell } from '../../model/cell.ts';
import { parseDecimal } from '../../model/decimal.ts';
import { knownNames } from '../../model/suggest.ts';
import type { Shape } from '../../model/shape.ts';
import { cellReader } from '../row-context.ts';
import type { RowContext } from '../row-context.ts';
import { asBool, compileBinary, compileLogic, compileUnary } from './operators.ts';
import { compileCall, compileMethod } from './calls.ts';
import { ExpressionProblem, expressionFault, typeProblem } from './fault.ts';
import { celTypeOf, loaderOf } from './load.ts';
import { compileIndex, compileSelect } from './select.ts';
import { celTypeText, sameCelType } from './value.ts';
import type { CelType, Value } from './value.ts';
import type { Compiled, Run, Scope } from './scope.ts';

/*
 * CEL, as far as the text goes; the meaning is trueup's own: types are checked against the fields of the stream before anything runs, integers
 * and decimals are exact, instants keep their microseconds, and a NULL operand gives NULL (equality excepted) instead of an error.
 */

export interface Expression {
  readonly type: CelType;
  /** Names of the fields it looks at. */
  readonly reads: readonly string[];
  /** @throws {TrueupError} `E_RECORD_EXPRESSION` or `E_RECORD_UNREADABLE` for this record */
  run(context: RowContext): Value;
}

export interface ExpressionRequest {
  readonly text: string;
  readonly source: Shape;
  /** For messages. */
  readonly stream: string;
}

const MAX_LENGTH = 10_000;
/** Made for the first expression: most jobs have none. */
let parser: CelEnvironment | null = null;

/** @throws {ExpressionProblem} for everything that is wrong with the text; its `start` is the offset */
export function compileExpression({ text, source, stream }: ExpressionRequest): Expression {
  const reads = new Set<string>();
  const scope: Scope = { ...fieldScope(source, stream, reads), locals: new Map(), nextSlot: { value: 0 } };
  const compiled = compileNode(parse(withPlainNames(text)), scope);
  const environment = {
    row: [] as readonly Cell[],
    decoders: [] as RowContext['decoders'],
    locals: Array.from<Value>({ length: scope.nextSlot.value }).fill(null),
  };
  return {
    type: compiled.type,
    reads: [...reads],
    run: (context) => {
      environment.row = context.row;
      environment.decoders = context.decoders;
      return compiled.run(environment);
    },
  };
}

function parse(text: string): ASTNode {
  if (text.length > MAX_LENGTH) throw new ExpressionProblem(`an expression may have ${MAX_LENGTH} characters`, 0);
  try {
    parser ??= new CelEnvironment({ unlistedVariablesAreDyn: true, limits: { maxAstNodes: 5000 } });
    return parser.parse(text).ast;
  } catch (error) {
    if (error instanceof ParseError) throw new ExpressionProblem(lowerFirst(error.summary), error.range?.start ?? 0);
    throw new ExpressionProblem(error instanceof RangeError ? 'it is nested too deeply' : 'it does not parse', 0);
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** `@index` is no name of CEL, so that it stands for another one of the same length; what is quoted stays. */
function withPlainNames(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|@index\b/g, (part) => (part === '@index' ? '_index' : part));
}

function fieldScope(source: Shape, stream: string, reads: Set<string>): Pick<Scope, 'field' | 'hasField'> {
  const indices = new Map(source.fields.map((field, index) => [field.name, index]));
  const known = (name: string): string => (indices.has(name) ? name : name.replace(/(^|\.)_index$/, '$1@index'));
  return { hasField: (name) => indices.has(known(name)), field: (name, start) => compileFieldName(known(name), start) };

  function compileFieldName(name: string, start: number): Compiled {
    const index = indices.get(name);
    const field = index === undefined ? undefined : source.fields[index];
    if (field === undefined || index === undefined) {
      throw new ExpressionProblem(
        `'${name}' is not a field of source stream '${stream}'.${knownNames(name, indices.keys(), 'Fields')}`,
        start,
      );
    }
    reads.add(name);
    const read = cellReader(field, index);
    const load = loaderOf(field.type);
    return {
      type: celTypeOf(field.type),
      run: (environment) => {
        const cell = read(environment);
        return cell === null || cell === undefined ? null : load(cell);
      },
    };
  }
}

/** Names with dots, as documents that are taken apart have them: `customer.name`. `null`: no such name begins at the node. */
function dottedField(node: ASTNode, scope: Scope): string | null {
  const name = dottedName(node);
  return name === null || scope.locals.has(name.split('.', 1)[0] as string) || !scope.hasField(name) ? null : name;
}

function dottedName(node: ASTNode): string | null {
  if (node.op === 'id') return node.args;
  if (node.op !== '.') return null;
  const object = dottedName(node.args[0]);
  return object === null ? null : `${object}.${node.args[1]}`;
}

function compileNode(node: ASTNode, scope: Scope): Compiled {
  switch (node.op) {
    case 'value':
      return compileLiteral(node);
    case 'id':
      return compileName(node.args, node.start, scope);
    case '.': {
      const field = dottedField(node, scope);
      if (field !== null) return scope.field(field, node.start);
      return compileSelect(compileNode(node.args[0], scope), node.args[1], node.end - node.args[1].length);
    }
    case '[]':
      return compileIndex(compileNode(node.args[0], scope), compileNode(node.args[1], scope), node.args[1].start);
    case 'call':
      return compileCall(node, scope, compileNode);
    case 'rcall':
      return compileMethod(node, scope, compileNode);
    case 'list':
      return compileList(node.args.map((item) => compileNode(item, scope)));
    case 'map':
      return compileMap(
        node.args.map(([key, value]): [Compiled, Compiled, number] => [compileNode(key, scope), compileNode(value, scope), key.start]),
      );
    case '?:':
      return compileChoice(
        node.args.map((part) => compileNode(part, scope)),
        node.args[0].start,
        node.args[2].start,
      );
    case '||':
    case '&&':
      return compileLogic(
        node.op,
        node.args.map((part) => compileNode(part, scope)),
        node.args.map((part) => part.start),
      );
    case '-_':
      // The lowest int has no positive counterpart, so its digits cannot be read alone.
      if (node.args.op === 'value' && node.args.args === 2n ** 63n) return constant('int', -(2n ** 63n));
      return compileUnary(node.op, compileNode(node.args, scope), node.start);
    case '!_':
      return compileUnary(node.op, compileNode(node.args, scope), node.start);
    case '.?':
    case '[?]':
      throw new ExpressionProblem('optional access is not available; use has(a.b)', node.start);
    default:
      return compileBinary(node.op, compileNode(node.args[0], scope), compileNode(node.args[1], scope), node.start);
  }
}

function constant(type: CelType, value: Value): Compiled {
  return { type, run: () => value, literal: value };
}

function compileLiteral(node: Extract<ASTNode, { op: 'value' }>): Compiled {
  const value = node.args;
  if (value === null) return constant('null', null);
  switch (typeof value) {
    case 'string':
      return constant('string', value);
    case 'boolean':
      return constant('bool', value);
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) throw new ExpressionProblem('the number is beyond 64 bits; write decimal("…")', node.start);
      return constant('int', value);
    case 'number': {
      const asDecimal = parseDecimal(node.input.slice(node.start, node.end).trim());
      return { ...constant('double', value), ...(asDecimal === null ? {} : { asDecimal }) };
    }
    default:
      if (value instanceof Uint8Array) return constant('bytes', value);
      throw new ExpressionProblem('unsigned numbers are not available; leave the u away', node.start);
  }
}

function compileName(name: string, start: number, scope: Scope): Compiled {
  const local = scope.locals.get(name);
  if (local === undefined) return scope.field(name, start);
  const { slot, type } = local;
  return { type, run: ({ locals }) => locals[slot] as Value };
}

function compileList(items: readonly Compiled[]): Compiled {
  const first = items[0]?.type ?? 'dyn';
  const element = items.every((item) => sameCelType(item.type, first)) ? first : 'dyn';
  if (items.every((item) => item.literal !== undefined))
    return constant(
      { list: element },
      items.map((item) => item.literal as Value),
    );
  const runs = items.map((item) => item.run);
  return { type: { list: element }, run: (environment) => runs.map((run) => run(environment)) };
}

function compileMap(entries: readonly (readonly [Compiled, Compiled, number])[]): Compiled {
  for (const [key, , start] of entries) {
    if (key.type !== 'string') throw typeProblem(`the keys of a map must be text, not ${celTypeText(key.type)}`, start);
  }
  return {
    type: 'map',
    run: (environment) => new Map(entries.map(([key, value]): [string, Value] => [keyText(key.run(environment)), value.run(environment)])),
  };
}

function keyText(key: Value): string {
  if (typeof key !== 'string') throw expressionFault('a key of a map is NULL');
  return key;
}

function compileChoice([condition, yes, no]: readonly Compiled[], start: number, end: number): Compiled {
  const [test, left, right] = [condition, yes, no] as [Compiled, Compiled, Compiled];
  if (test.type !== 'bool' && test.type !== 'dyn' && test.type !== 'null')
    throw typeProblem(`the condition must be a bool, not ${celTypeText(test.type)}`, start);
  const type =
    left.type === 'null'
      ? right.type
      : right.type === 'null' || sameCelType(left.type, right.type)
        ? left.type
        : left.type === 'dyn' || right.type === 'dyn'
          ? 'dyn'
          : null;
  if (type === null) {
    throw typeProblem(`both results of '? :' must have one type, not ${celTypeText(left.type)} and ${celTypeText(right.type)}`, end);
  }
  const run: Run = (environment) => {
    const chosen = test.run(environment);
    return chosen === null ? null : asBool(chosen, 'a condition') ? left.run(environment) : right.run(environment);
  };
  return { type, run };
}
