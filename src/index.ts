/** The API for programs: everything that the command line does. Connectors import `trueup/sdk` instead. */
export { openApp, testMappings } from './app.ts';
export type {
  App,
  AppOptions,
  BackfillOptions,
  CheckpointChange,
  CheckpointChangeReport,
  FeedStatus,
  JobStatus,
  MappingTestReport,
  RunOptions,
  RunSignals,
  UnknownStatus,
  VerifyOptions,
} from './api.ts';
export { defineConfig } from './config/define-config.ts';
export type { Config } from './config/define-config.ts';
export { ERROR_CODES, faultOf, isTrueupError, TrueupError } from './errors.ts';
export type { ErrorCode, ErrorDetails, Fault } from './errors.ts';
export type { Log } from './model/connector.ts';
export type { Diagnostic } from './model/diagnostic.ts';
export type { Guarantee } from './model/guarantee.ts';
export type { OnEvent, RunEvent } from './pipeline/report/events.ts';
export type { JobPlanReport, PlanProblem, PlanReport, StreamPlanReport } from './pipeline/plan/plan-report.ts';
export type { JobReport, ReportedError, RunReport, RunStatus, StreamReport } from './pipeline/report/report.ts';
export type { StreamVerifyReport, VerifyReport, VerifySample } from './verify/verify-report.ts';
export type { WhyReport, WhyVerdict } from './verify/why-report.ts';
