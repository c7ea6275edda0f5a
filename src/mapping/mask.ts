import { createHash, createHmac } from 'node:crypto';
import type { MaskPlan } from './plan.ts';

/** Hides a text. Characters are code points; how long the value was never shows. */
export function maskOf(mask: MaskPlan, secrets: (text: string) => string): (text: string) => string {
  switch (mask.by) {
    case 'hmac': {
      const key = secrets(mask.key);
      return (text) => createHmac('sha256', key).update(text, 'utf8').digest('hex');
    }
    case 'sha256':
      return (text) => createHash('sha256').update(text, 'utf8').digest('hex');
    case 'redact':
      return () => '***';
    case 'last4':
      return (text) => {
        // Ten units are at least five characters, so four or fewer are all there are.
        const last = Array.from(text.slice(-10));
        return last.length <= 4 ? '****' : `****${last.slice(-4).join('')}`;
      };
  }
}
