import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';

/** The name of the replica set. */
export const SET = 'rs0';
const START_TIMEOUT_MS = 60_000;

/** Makes a replica set of members that run. @param url of one of them, directly */
export async function initiate(url: string, hosts: readonly string[]): Promise<void> {
  const client = new MongoClient(url);
  try {
    const members = hosts.map((host, _id) => ({ _id, host }));
    // Elections within a second, so that tests of a step-down need not wait for ten.
    const settings = { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 200 };
    await client.db('admin').command({ replSetInitiate: { _id: SET, members, settings } });
  } finally {
    await client.close();
  }
}

export async function waitForPrimary(url: string): Promise<void> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: START_TIMEOUT_MS });
  try {
    for (;;) {
      const hello = await client.db('admin').command({ hello: 1 });
      if (hello['isWritablePrimary'] === true) return;
      await sleep(50);
    }
  } finally {
    await client.close();
  }
}
