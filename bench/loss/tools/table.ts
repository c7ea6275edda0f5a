import type { Tool } from '../tool.ts';
import { cursorLoop } from './cursor-loop.ts';
import { dlt, dltLag } from './dlt.ts';
import { ingestr } from './ingestr.ts';
import { meltano } from './meltano.ts';
import { sling, slingLookback } from './sling.ts';
import { trueup, trueupXmin } from './trueup.ts';

/** In the order of the published table. */
export const TOOLS: readonly Tool[] = [trueup, trueupXmin, cursorLoop, dlt, dltLag, sling, slingLookback, meltano, ingestr];
