import { TrueupError } from '../../errors.ts';

/** A mistake in an expression, found before the run. `start`: offset in its text. `code`: whether it is one of types. */
export class ExpressionProblem extends Error {
  readonly start: number;
  readonly code: 'E_MAPPING_INVALID' | 'E_MAPPING_TYPE';
  constructor(message: string, start: number, code: 'E_MAPPING_INVALID' | 'E_MAPPING_TYPE' = 'E_MAPPING_INVALID') {
    super(message);
    this.start = start;
    this.code = code;
  }
}

/** A value of a type that does not fit its place. */
export function typeProblem(message: string, start: number): ExpressionProblem {
  return new ExpressionProblem(message, start, 'E_MAPPING_TYPE');
}

/** What goes wrong on one record: overflow, division by zero, text that does not parse. Never names the value. */
export function expressionFault(message: string): TrueupError {
  return new TrueupError('E_RECORD_EXPRESSION', message);
}
