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
}

const CONNECTOR_OF_SCHEME: Readonly<Record<string, string>> = { 'postgres:': 'postgres', 'postgresql:': 'postgres' };

/** @throws {TrueupError} `E_USAGE` for what is no URL, or a scheme that no connector serves */
export function connectionFromUrl(text: string, role: 'source' | 'target'): ConnectionText {
  if (!URL.canParse(text))
    throw new TrueupError('E_USAGE', `the ${role} is no URL`, { hint: 'Expected a URL such as postgres://user@host:5432/database.' });
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
  const { stringify } = await import('yaml');
  const connection = ({ connector, url }: ConnectionText) => ({ connector, url });
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

/** The config that `init` writes. The URLs may be placeholders. */
export function initConfigText(source: ConnectionText, target: ConnectionText): string {
  const quoted = (text: string) => JSON.stringify(text); // JSON strings are YAML strings.
  return `# What is kept in step with what. \`trueup validate\` checks this file, \`trueup plan\` shows what a run would do, \`trueup run\` does it.
# \${NAME} takes an environment variable, \${file:PATH} the text of a file: secrets belong there.

connections:
  source:
    connector: ${source.connector}
    url: ${quoted(source.url)}
  target:
    connector: ${target.connector}
    url: ${quoted(target.url)}

jobs:
  source-to-target:
    source: source
    target: target
    # schedule: "*/5 * * * *"                            # used by \`trueup start\`; without it the job is run by hand
    streams:
      - from: "public.*"                                 # every table of a schema
        # except: ["public.audit_*"]
      # A stream that is named by itself beats the wildcard:
      # - from: public.orders
      #   to: public.orders                              # default: the same name
      #   changes: { by: cursor, field: updated_at }     # default: the best there is; \`trueup plan\` shows it
      #   key: [id]                                      # default: the primary key
      #   mapping: mappings/orders.yaml                  # default: every field under its own name
`;
}
