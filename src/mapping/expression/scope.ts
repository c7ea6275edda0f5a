import type { ASTNode } from '@marcbachmann/cel-js';
import type { RowContext } from '../row-context.ts';
import type { Decimal } from '../../model/decimal.ts';
import type { CelType, Value } from './value.ts';

/** A record, and what the macros of the expression hold on to while they run. */
export interface Environment extends RowContext {
  readonly locals: Value[];
}

export type Run = (environment: Environment) => Value;

/** A part of an expression, checked and ready to run. */
export interface Compiled {
  readonly type: CelType;
  readonly run: Run;
  /** A constant: its value. */
  readonly literal?: Value;
  /** A number written with a point or an exponent: exactly what was written. */
  readonly asDecimal?: Decimal;
}

export interface Scope {
  /** @throws {ExpressionProblem} when there is no such field */
  field(name: string, start: number): Compiled;
  /** Whether there is a field of exactly this name, dots included. */
  hasField(name: string): boolean;
  /** Variables of the macros around. */
  readonly locals: ReadonlyMap<string, { readonly slot: number; readonly type: CelType }>;
  readonly nextSlot: { value: number };
}

export type Compile = (node: ASTNode, scope: Scope) => Compiled;
