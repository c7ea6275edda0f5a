import { CLOCK_JUMPS } from './clock-jumps.ts';
import { DATA } from './data.ts';
import { DELIVERIES } from './deliveries.ts';
import { FAILURES } from './failures.ts';
import type { FaultTest } from './fault.ts';
import { KILLS } from './kills.ts';
import { NETWORK } from './network.ts';
import { OWNERS } from './owners.ts';
import { DISKS, SERVERS } from './servers.ts';

/** Every fault there is, in the order of the table. */
export const FAULTS: readonly FaultTest[] = [
  ...KILLS,
  ...FAILURES,
  ...DELIVERIES,
  ...OWNERS,
  ...CLOCK_JUMPS,
  ...NETWORK,
  ...SERVERS,
  ...DISKS,
  ...DATA,
];
