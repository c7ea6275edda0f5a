import type { z } from 'zod';
import type { ConfigDocument } from './document.ts';
import { pathKey, valueAt, walk } from './plain-data.ts';
import type { Path } from './plain-data.ts';
import { isSecret, memberSchemas } from './schema-walk.ts';

/*
 * Which values must never be shown: what came from a secret file, what an environment variable put into the options of a connection, what
 * a connector's schema flags as secret, and the passwords inside URLs, however they are encoded.
 */

/** Options that name a place, not a secret. Their values are ordinary words, and hiding those would tear every message apart. */
const PLACES =
  /^(?:host|hostname|port|database|db|schema|user|username|path|region|bucket|topic|collection|table|namespace|name|ssl|sslmode)$/i;
const URL_SECRETS = /^(?:password|passwd|pwd|secret|token|key|apikey|api_key|access_token|client_secret|sslpassword)$/i;

export interface SecretPlace {
  readonly document: ConfigDocument;
  readonly path: Path;
  /** Of the connector's options; `null` when it could not be loaded. */
  readonly schema: z.core.$ZodType | null;
}

/** The secrets in the options of one connection. */
export function connectionSecrets(options: Readonly<Record<string, unknown>>, place: SecretPlace): ReadonlySet<string> {
  const secrets = new Set<string>();
  for (const { value, path } of walk(options)) {
    if (typeof value !== 'string' && typeof value !== 'number') continue;
    const text = String(value);
    if (place.schema !== null && isFlagged(place.schema, path)) addForms(secrets, text);
    if (URL.canParse(text)) addAll(secrets, urlSecrets(text));
    else addAll(secrets, keywordPasswords(text));
    for (const reference of place.document.replaced.get(pathKey([...place.path, ...path])) ?? []) {
      const isPlace = PLACES.test(String(path.at(-1))) || urlWords(text).has(reference.value);
      if (URL.canParse(reference.value)) addAll(secrets, urlSecrets(reference.value));
      else if (reference.kind === 'file' || !isPlace) addForms(secrets, reference.value);
    }
  }
  return secrets;
}

/** The secrets outside of connections: in a mapping inside the config, in the URL of the state store, in files. */
export function otherSecrets(document: ConfigDocument): ReadonlySet<string> {
  const secrets = new Set<string>();
  for (const [key, references] of document.replaced) {
    const path = JSON.parse(key) as string[];
    if (path[0] === 'connections') continue;
    for (const { kind, value } of references) if (kind === 'file' || path.includes('mapping')) addForms(secrets, value);
  }
  const state = valueAt(document.data, ['state']);
  if (typeof state === 'string') addAll(secrets, urlSecrets(state));
  return secrets;
}

/** Passwords and tokens of a URL, as written and decoded. A password that is also the user's or the database's name hides nothing, so it is left. */
export function urlSecrets(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const url = new URL(text);
  const words = urlWords(text);
  const found = [url.password, ...[...url.searchParams].filter(([name]) => URL_SECRETS.test(name)).map(([, value]) => value)];
  return found.filter((secret) => secret !== '' && !words.has(decoded(secret)));
}

/** The parts of a URL that are names: scheme, user, host, port, and the path where it names a database (on the web it may be a token). */
function urlWords(text: string): ReadonlySet<string> {
  if (!URL.canParse(text)) return new Set();
  const url = new URL(text);
  const path = url.protocol.startsWith('http') ? [] : url.pathname.split('/');
  return new Set([url.protocol.slice(0, -1), url.username, url.hostname, url.port, ...path].map(decoded));
}

/** `host=… password=…`, the other way to write a Postgres address. */
function keywordPasswords(text: string): string[] {
  return [...text.matchAll(/\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))/gi)]
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((secret) => secret !== '');
}

function isFlagged(schema: z.core.$ZodType, path: Path): boolean {
  let schemas: readonly z.core.$ZodType[] = [schema];
  for (const key of path) {
    schemas = schemas.flatMap((one) => memberSchemas(one, key));
    if (schemas.some(isSecret)) return true;
  }
  return false;
}

function addAll(secrets: Set<string>, found: readonly string[]): void {
  for (const secret of found) addForms(secrets, secret);
}

function addForms(secrets: Set<string>, secret: string): void {
  if (secret === '') return;
  const plain = decoded(secret);
  for (const form of [secret, plain, encodeURIComponent(plain)]) secrets.add(form);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
