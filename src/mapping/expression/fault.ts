import { TrueupError } from '../../errors.ts';

/** A mistake in an expression, found before the run. `start`: offset in its text. */
export class ExpressionProblem extends Error {
  readonly start: number;
  constructor(message: string, start: number) {
    super(message);
    this.start = start;
  }
}

/** What goes wrong on one record: overflow, division by zero, text that does not parse. Never names the value. */
export function expressionFault(message: string): TrueupError {
  return new TrueupError('E_RECORD_EXPRESSION', message);
}
