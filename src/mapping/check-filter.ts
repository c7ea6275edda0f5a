import { checkedExpression, report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { celTypeText } from './expression/value.ts';
import type { Path } from './check-value.ts';
import type { FilterPlan } from './plan.ts';

/** A condition, or `null`: there is none, or its problem is reported. */
export function checkFilter(
  context: CheckContext,
  text: string | null | undefined,
  { path, label }: { readonly path: Path; readonly label: string },
): FilterPlan | null {
  if (text === null || text === undefined) return null;
  const expression = checkedExpression(context, text, path);
  if (expression === null) return null;
  if (expression.type !== 'bool' && expression.type !== 'dyn')
    return report(context, {
      path,
      message: `'${label}' must give true or false, not ${celTypeText(expression.type)}`,
      code: 'E_MAPPING_TYPE',
    });
  return { expr: text, reads: expression.reads, label };
}
