import { createRedactor } from '../config/redact.ts';

export interface Redaction {
  readonly redact: (text: string) => string;
  readonly hide: (secrets: Iterable<string>) => void;
}

/** Hides passwords of URLs on the command line from the start, and secrets of the config as soon as they are known. */
export function createRedaction(argv: readonly string[]): Redaction {
  const secrets = new Set(argv.flatMap(passwordsOf));
  let redact = createRedactor(secrets);
  return {
    redact: (text) => redact(text),
    hide(more) {
      for (const secret of more) secrets.add(secret);
      redact = createRedactor(secrets);
    },
  };
}

function passwordsOf(argument: string): string[] {
  if (!URL.canParse(argument)) return [];
  const { password, searchParams } = new URL(argument);
  const written = [password, searchParams.get('password') ?? ''].filter((text) => text !== '');
  return [...new Set(written.flatMap((text) => [text, decoded(text)]))];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
