#!/usr/bin/env node
// npm links the commands of workspaces and dependencies into node_modules/.bin, never those of the root package. This file is
// what makes `trueup` and `npx trueup` mean the sources of this checkout right after `npm ci`.
import '../../../bin/trueup.js';
