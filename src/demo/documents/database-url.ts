import { TrueupError } from '../../errors.ts';

/** Scheme, then who logs in, then the hosts (one or several), the database and the query. */
const PARTS = /^(mongodb(?:\+srv)?:\/\/)(?:([^@/?]*)@)?([^@/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;

export interface DatabaseUrl {
  readonly url: string;
  /** `host:port,…`, for people. */
  readonly hosts: string;
}

/**
 * The url of another database of the server, for whom the same credentials hold: they are still looked up where they were.
 *
 * @param from the name of what holds the url, for the message
 * @throws {TrueupError} `E_USAGE` for what is no url of MongoDB; the message never repeats it
 */
export function databaseUrl(server: string, name: string, from: string): DatabaseUrl {
  const parts = PARTS.exec(server);
  if (parts === null)
    throw new TrueupError('E_USAGE', `${from} is not a URL of MongoDB`, {
      hint: 'It has the form mongodb://user:password@host:port/ or mongodb://host:port,host:port/?replicaSet=name. Special characters in it are written as %XX.',
    });
  const [, scheme, login, hosts = '', database = '', query = ''] = parts;
  const wanted = new URLSearchParams(query);
  if (login !== undefined && !wanted.has('authSource')) wanted.set('authSource', database === '' ? 'admin' : decodeURIComponent(database));
  const asked = wanted.size === 0 ? '' : `?${wanted.toString()}`;
  return { url: `${scheme}${login === undefined ? '' : `${login}@`}${hosts}/${name}${asked}`, hosts };
}
