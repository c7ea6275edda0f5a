/** Shorter values are left alone: replacing each `1` or `abc` would destroy the text and tell the secret by its gaps. */
export const MIN_SECRET_LENGTH = 4;
const MIN_LINE_LENGTH = 16;
export const REDACTED = '[redacted]';

/**
 * Replaces every secret in a text, in the forms in which it may turn up: as it is, inside JSON, inside a URL. The net below everything that
 * is printed; messages are written without secrets in the first place.
 */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const forms = new Set([...secrets].flatMap(formsOf).filter((form) => form.length >= MIN_SECRET_LENGTH));
  if (forms.size === 0) return (text) => text;
  // Longest first, so that a secret that contains another is replaced whole.
  const pattern = new RegExp(
    [...forms]
      .sort((a, b) => b.length - a.length)
      .map(escaped)
      .join('|'),
    'g',
  );
  return (text) => text.replaceAll(pattern, REDACTED);
}

function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const url = encodeURIComponent(secret.toWellFormed());
  // A key in several lines may be cut into them by a log; a short line of it may be any word.
  const lines = secret.split(/\r?\n/).filter((line) => line.length >= MIN_LINE_LENGTH);
  return [secret, json, url, url.replaceAll('%20', '+'), ...lines];
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}
