import type { Guarantee } from '../../model/guarantee.ts';
import type { Style } from '../text/style.ts';
import { singleLine } from '../text/width.ts';

/** What is assumed, one a line. */
export function assumptionLines(guarantee: Guarantee, style: Style): string[] {
  return guarantee.assumes.map((text) => `${style.dim('assumes')}    ${singleLine(text)}`);
}

/** The guarantee on one line. What is weaker than it could be stands out. */
export function guaranteeLine(guarantee: Guarantee, style: Style): string {
  const said = (text: string, isWeak: boolean) => (isWeak ? style.yellow(text) : text);
  const parts = [
    guarantee.delivery,
    said(`late commits ${guarantee.lateCommits}`, guarantee.lateCommits !== 'delivered'),
    said(`deletes ${guarantee.deletes}`, guarantee.deletes === 'never'),
    said(`stale writes ${guarantee.staleWrites}`, guarantee.staleWrites === 'possible'),
    said(guarantee.fidelity === 'exact' ? 'values exact' : 'values with declared losses', guarantee.fidelity !== 'exact'),
  ];
  return `${style.dim('guarantee')}  ${parts.join(', ')}`;
}
