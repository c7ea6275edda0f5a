import type { Agent, Dispatcher, request as undiciRequest } from 'undici';
import { TrueupError } from '../errors.ts';
import { ACCEPT_ENCODING } from './http-body.ts';
import type { AnswerStream } from './http-body.ts';
import type { HttpClientOptions } from './http-contract.ts';
import { requestFault } from './http-faults.ts';
import { addressText } from './http-redirect.ts';
import type { Sending } from './http-redirect.ts';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case, several of one name joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: AnswerStream;
}

interface Pool {
  readonly agent: Agent;
  readonly request: typeof undiciRequest;
}

/** Sends to one address and gives the headers of the answer: no retry, no redirect. */
export interface Exchange {
  /** @throws {TryFault} or the signal's reason */
  send(sending: Sending, credentials: Readonly<Record<string, string>>, signal: AbortSignal): Promise<RawAnswer>;
  close(): Promise<void>;
}

/**
 * On `undici` of npm rather than the `fetch` of Node.js: it has a timeout for each phase, follows no redirect by itself, and gives the body as a stream that
 * can be cancelled. HTTP/1.1 alone, so that one request is one connection and `concurrency` bounds both.
 */
export function openExchange(timeouts: HttpClientOptions['timeouts']): Exchange {
  let opened: Promise<Pool> | null = null;
  let closed = false;
  const open = async (): Promise<Pool> => {
    const {
      default: { Agent: PooledAgent, request },
    } = await import('undici');
    const { connectMs, headersMs, idleMs } = timeouts;
    return {
      request,
      agent: new PooledAgent({ connect: { timeout: connectMs }, headersTimeout: headersMs, bodyTimeout: idleMs, allowH2: false }),
    };
  };
  return {
    async send({ url, method, headers, body }, credentials, signal) {
      if (closed) throw new TrueupError('E_STOPPED', `${method} ${addressText(url)}: the connection was closed`);
      const { agent, request } = await (opened ??= open());
      const all = { 'user-agent': 'trueup', 'accept-encoding': ACCEPT_ENCODING, ...headers, ...credentials };
      try {
        const answer = await request(url, { dispatcher: agent, method: method as Dispatcher.HttpMethod, headers: all, body, signal });
        // A body that is destroyed while nobody listens must not end the process.
        answer.body.on('error', () => {});
        return { status: answer.statusCode, headers: joined(answer.headers), stream: answer.body as unknown as AnswerStream };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (closed) throw new TrueupError('E_STOPPED', `${method} ${addressText(url)}: the connection was closed`, { cause: error });
        throw requestFault(error, `${method} ${addressText(url)}`, timeouts);
      }
    },
    async close() {
      closed = true;
      await (await opened)?.agent.destroy();
    },
  };
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const texts = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : value.join(', ')] as const],
  );
  return Object.fromEntries(texts);
}
