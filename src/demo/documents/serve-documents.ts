import { join } from 'node:path';
import type { KeptServers } from '../demo-folder.ts';
import { startEmbeddedPostgres } from '../embedded-postgres.ts';
import { startKeptMongo } from './find-mongo.ts';

/** The servers of a kept demo of documents, started again. */
export interface ServedDocuments {
  readonly urls: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function serveDocuments(
  folder: string,
  { shop, mongo }: Extract<KeptServers, { kind: 'documents' }>,
  env: NodeJS.ProcessEnv,
): Promise<ServedDocuments> {
  const documents = mongo === null ? null : await startKeptMongo(folder, mongo, env);
  try {
    const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'shop-server'), port: shop });
    const url = (name: string): string => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href;
    return {
      urls: { shop: url('shop'), copy: url('copy'), ...(documents === null ? {} : { documents: documents.url }) },
      stop: async () => void (await Promise.all([postgres.stop(), documents?.stop(true)])),
    };
  } catch (error) {
    await documents?.stop(true);
    throw error;
  }
}
