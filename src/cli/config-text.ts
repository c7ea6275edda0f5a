import { fileURLToPath } from 'node:url';
import { TrueupError } from '../errors.ts';

/** A connection as it is written into a config: nothing secret is in it. */
export interface ConnectionText {
  readonly connector: string;
  /** The password, if there was one, replaced by a reference to an environment variable. */
  readonly url: string;
  /** What that variable must hold: the password as it stood in the URL, percent-encoded. */
  readonly variable?: { readonly name: string; readonly value: string };
  /** The last part of the path: the database. */
  readonly database: string;
  /** A file or folder: what the connection takes in place of a URL, and the stream where there can only be one. */
  readonly file?: { readonly options: Readonly<Record<string, unknown>>; readonly stream?: string };
}

const CONNECTOR_OF_SCHEME: Readonly<Record<string, string>> = { 'postgres:': 'postgres', 'postgresql:': 'postgres' };

/** @throws {TrueupError} `E_USAGE` for what is no URL, or a scheme that no connector serves */
export function connectionFromUrl(text: string, role: 'source' | 'target'): ConnectionText {
  const path = filePath(text);
  if (path !== null) return fileConnection(path, role);
  if (!URL.canParse(text))
    throw new TrueupError('E_USAGE', `the ${role} is no URL`, {
      hint: 'Expected a URL such as postgres://user@host:5432/database, a path such as ./orders.csv, or - for stdin and stdout.',
    });
  const url = new URL(text);
  const connector = CONNECTOR_OF_SCHEME[url.protocol];
  if (connector === undefined) {
    const known = [...new Set(Object.keys(CONNECTOR_OF_SCHEME))].map((scheme) => `${scheme}//`).join(', ');
    throw new TrueupError('E_USAGE', `no connector for the ${role}'s ${url.protocol}// URL. Known: ${known}`, {
      hint: 'Write a config for other connectors: `trueup init`.',
    });
  }
  const database = decodeURIComponent(url.pathname.replace(/^.*\//, ''));
  const { password } = url;
  const literal = text.replaceAll('${', '$${');
  if (password === '') return { connector, url: literal, database };
  const name = `${role.toUpperCase()}_PASSWORD`;
  const reference = `\${${name}}`;
  url.password = PLACEHOLDER;
  return {
    connector,
    url: url.href.replaceAll('${', '$${').replace(PLACEHOLDER, () => reference),
    variable: { name, value: password },
    database,
  };
}

/** A path as a shell takes it (`./in.csv`, `/data`, `in.csv`), a `file:` URL, or `-`. `null`: something else. */
function filePath(text: string): string | null {
  if (/^file:/i.test(text)) {
    if (!URL.canParse(text)) return text.slice('file:'.length);
    return /^file:\/\//i.test(text) ? fileURLToPath(text) : decodeURIComponent(text.slice('file:'.length));
  }
  if (text === '-' || /^\.{0,2}\//.test(text) || text === '.' || text === '..') return text;
  return !text.includes('://') && FILE_NAME.test(text) ? text : null;
}

const FILE_NAME = /\.(?:csv|jsonl|ndjson)(?:\.(?:gz|zst))?$/;

/** Who copies a file has all of it: its last line is complete. */
function fileConnection(path: string, role: 'source' | 'target'): ConnectionText {
  const name = path.replace(/\/+$/, '').replace(/^.*\//, '');
  const options = { path: path.replaceAll('${', '$${'), ...(role === 'source' && path !== '-' ? { closed: true } : {}) };
  const stream = path === '-' || FILE_NAME.test(path) ? name : undefined;
  return {
    connector: 'file',
    url: path,
    database: path === '-' ? 'stdio' : name || 'files',
    file: { options, ...(stream === undefined ? {} : { stream }) },
  };
}

/** Cannot stand in the rest of a URL by chance. */
const PLACEHOLDER = 'trueup-password-goes-here';

export interface CopyRequest {
  readonly source: ConnectionText;
  readonly target: ConnectionText;
  readonly job: string;
  readonly streams: readonly string[];
  readonly key?: readonly string[];
  readonly changes?: { readonly by: string; readonly field?: string };
}

/** The config that a `copy` stands for, as it would be written by hand. */
export async function copyConfigText({ source, target, job, streams, key, changes }: CopyRequest): Promise<string> {
  const { stringify } = await import('../model/yaml.ts');
  const connection = ({ connector, url, file }: ConnectionText) => ({ connector, ...(file?.options ?? { url }) });
  return stringify({
    connections: { source: connection(source), target: connection(target) },
    jobs: {
      [job]: {
        source: 'source',
        target: 'target',
        streams: streams.map((from) => ({ from, ...(changes === undefined ? {} : { changes }), ...(key === undefined ? {} : { key }) })),
      },
    },
  });
}

/** Tables without a key: a wildcard has no place to name one, so they are left out until somebody does. */
function exceptText(keyless: readonly string[] | null): string {
  if (keyless === null)
    return `        # A table without a primary key or a unique index on NOT NULL columns has to be left out, or to be named below with \`key: [...]\`.
        # except: ["public.audit_*"]`;
  if (keyless.length === 0) return '        # except: ["public.audit_*"]';
  const names = keyless.map((name) => JSON.stringify(name.replaceAll(/[*?]/g, String.raw`\$&`)));
  return `        # These have no primary key and no unique index on NOT NULL columns, so their rows cannot be told apart in the target.
        # Give one an entry of its own below, with \`key: [...]\`, and it is synced as well.
        except: [${names.join(', ')}]`;
}

/** JSON is YAML. */
function optionLines({ url, file }: ConnectionText): string {
  return Object.entries(file?.options ?? { url })
    .map(([name, value]) => `    ${name}: ${JSON.stringify(value)}`)
    .join('\n');
}

/**
 * The config that `init` writes. The URLs may be placeholders.
 *
 * @param keyless streams of `public` that have no key; `null`: the source was not asked
 */
export function initConfigText(source: ConnectionText, target: ConnectionText, keyless: readonly string[] | null): string {
  return `# What is kept in step with what. \`trueup validate\` checks this file, \`trueup plan\` shows what a run would do, \`trueup run\` does it.
# \${NAME} takes an environment variable, \${file:PATH} the text of a file: secrets belong there.

connections:
  source:
    connector: ${source.connector}
${optionLines(source)}
  target:
    connector: ${target.connector}
${optionLines(target)}

jobs:
  source-to-target:
    source: source
    target: target
    # schedule: "*/5 * * * *"                            # used by \`trueup start\`; without it the job is run by hand
    streams:
      - from: "public.*"                                 # every table of a schema
${exceptText(keyless)}
      # A stream that is named by itself beats the wildcard:
      # - from: public.orders
      #   to: public.orders                              # default: the same name
      #   changes: { by: cursor, field: updated_at }     # default: the best there is; \`trueup plan\` shows it
      #   key: [id]                                      # default: the primary key
      #   mapping: mappings/orders.yaml                  # default: every field under its own name
`;
}
