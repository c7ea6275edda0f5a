import type { CaseMaker } from '../bench.ts';
import { deletedHundredth } from './deletes.ts';
import { fromCsv, fromJsonl } from './files.ts';
import { postgresLogDelay } from './log-delay.ts';
import { postgresLog } from './log.ts';
import { changedDocuments, embeddedDocuments, flatDocuments, rowsFromDocuments, unwoundDocuments } from './mongodb.ts';
import {
  changedHundredth,
  changedTenth,
  expressionLoad,
  firstLoad,
  killed,
  loadOfOthers,
  mappedLoad,
  nothingChanged,
  sameAgain,
  tiesLoad,
} from './postgres.ts';
import { json, large, verify, wide } from './shapes.ts';

/** In the order in which they run and stand in the table. */
export const CASES: readonly CaseMaker[] = [
  firstLoad,
  loadOfOthers,
  mappedLoad,
  expressionLoad,
  changedTenth,
  changedHundredth,
  nothingChanged,
  sameAgain,
  deletedHundredth,
  killed,
  postgresLog,
  postgresLogDelay,
  tiesLoad,
  wide,
  json,
  large,
  verify,
  flatDocuments,
  changedDocuments,
  embeddedDocuments,
  rowsFromDocuments,
  unwoundDocuments,
  fromCsv,
  fromJsonl,
];
