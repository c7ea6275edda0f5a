/* The fault kit, for pairs of connectors of this project and of others. Needs no test runner. */

export type { FaultTest } from './fault.ts';
export { FAIL_POINTS } from './fail-points.ts';
export type { FailPoint } from './fail-points.ts';
export type { FaultAction, PlannedFault, Step } from './fault-plan.ts';
export { FAULTS } from './faults.ts';
export { faultsCommand } from './faults-command.ts';
export type { FaultsCommandOptions } from './faults-command.ts';
export { contentDifferences } from './content.ts';
export { NEEDS } from './pair.ts';
export type { ContentRow, FaultyServer, Need, OpenPair, OpenTransaction, Pair, Side } from './pair.ts';
export { runFaults } from './run-faults.ts';
export type { FaultOutcome, RunFaultsOptions } from './run-faults.ts';
export { outcomeCounts, outcomeTable, outcomeText } from './table.ts';
export type { OutcomeCounts } from './table.ts';
export { startTcpProxy } from './tcp-proxy.ts';
export type { TcpProxy } from './tcp-proxy.ts';
export { openTrial } from './trial.ts';
export type { Trial, TrialOptions } from './trial.ts';
