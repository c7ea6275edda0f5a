import type { ErrorCode, GuaranteeParts, Problem, StreamRef } from '../../../src/sdk.ts';
import { isTrueupError } from '../../../src/sdk.ts';
import type { CollectionName } from '../discover.ts';
import type { Session } from '../session.ts';
import { openChangeStream } from './change-stream.ts';
import { IMAGES_WIRE, imagesOf } from './stages.ts';

/** What stands in the way of reading the changes of a stream from the log. */
export async function logProblems(session: Session, ref: StreamRef, { kind }: CollectionName, signal: AbortSignal): Promise<Problem[]> {
  const { name, key } = ref;
  const facts = await session.facts(signal);
  if (facts.kind === 'standalone')
    return [
      unsupported(
        `Stream '${name}': ${session.where.address} is a single server, and only replica sets and clusters keep a log of changes. A single server becomes a replica set of one when it is started with --replSet and told rs.initiate() once; or choose cursor or snapshot.`,
      ),
    ];
  if (kind !== 'collection')
    return [
      unsupported(
        `Stream '${name}' is a ${kind === 'view' ? 'view' : 'time series collection'}, of which the log does not tell. Methods: cursor, snapshot.`,
      ),
    ];
  const found: Problem[] = [];
  if (key.join() !== '_id')
    found.push({
      severity: 'error',
      code: 'E_STREAM_KEY',
      message: `Stream '${name}': the log names documents by _id, not by ${key.join(', ') || 'nothing'}. Use \`key: [_id]\`, or choose another method.`,
    });
  if (session.options.postImages && !(await keepsImages(session, name, signal)))
    found.push({
      severity: 'warning',
      code: 'E_CHANGES_LIMITED',
      message: `'${name}' keeps no images (MongoDB 6.0 and later), so what an update made of a document is looked up as it is now, in spite of \`postImages\`.`,
      statements: [`db.runCommand({ collMod: ${JSON.stringify(name)}, changeStreamPreAndPostImages: { enabled: true } })`],
    });
  return [...found, ...(await accessProblems(session, ref, signal))];
}

/** The source's share of the guarantee. Where a collection keeps images, the log tells what a document was found by before. */
export async function logGuarantee(session: Session, ref: StreamRef, own: GuaranteeParts, signal: AbortSignal): Promise<GuaranteeParts> {
  if (
    ref.lookups === undefined ||
    (await session.facts(signal)).wireVersion < IMAGES_WIRE ||
    !(await keepsImages(session, ref.name, signal))
  )
    return own;
  return { ...own, remembers: true, assumes: [...own.assumes, `images of ${ref.name} are kept until they are read (expireAfterSeconds)`] };
}

async function keepsImages(session: Session, name: string, signal: AbortSignal): Promise<boolean> {
  const [info] = await session.run(signal, (db) => db.listCollections({ name }, { signal }).toArray());
  const { options } = (info ?? {}) as { readonly options?: { readonly changeStreamPreAndPostImages?: { readonly enabled?: boolean } } };
  return options?.changeStreamPreAndPostImages?.enabled === true;
}

/** Whether the role may read the log: it is tried. */
async function accessProblems(session: Session, ref: StreamRef, signal: AbortSignal): Promise<Problem[]> {
  const { stage, stages } = imagesOf([ref], session.options, await session.facts(signal), false);
  try {
    const stream = await openChangeStream({ session, scope: ref.name, start: {}, images: stage, stages, size: 1, signal });
    await stream.close();
    return [];
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_ACCESS') throw error;
    const resource = `{ db: ${JSON.stringify(session.where.database)}, collection: ${JSON.stringify(ref.name)} }`;
    return [
      {
        ...unsupported(
          `Stream '${ref.name}': the role may not read its changes, which needs the privileges find and changeStream, for several streams on the whole database.`,
        ),
        statements: [
          `db.grantRolesToUser(USER, [{ role: "read", db: ${JSON.stringify(session.where.database)} }])`,
          `// or only this: db.grantPrivilegesToRole(ROLE, [{ resource: ${resource}, actions: ["find", "changeStream"] }])`,
        ],
      },
    ];
  }
}

function unsupported(message: string): Problem & { readonly code: ErrorCode } {
  return { severity: 'error', code: 'E_CHANGES_UNSUPPORTED', message };
}
