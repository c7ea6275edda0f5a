import type { Session } from './session.ts';

/** READ COMMITTED whatever the role's default is: each statement sees what was committed before it, which the merge and the fence rely on. */
export const BEGIN = 'begin isolation level read committed read write';

/** Runs `work` in one transaction: committed when it resolves, rolled back when it throws. */
export async function inTransaction<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query(BEGIN);
  try {
    const result = await work();
    await session.query('commit');
    return result;
  } catch (error) {
    await session.query('rollback').catch(() => undefined);
    throw error;
  }
}
