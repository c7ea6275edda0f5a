import { defineConnector } from '../../src/sdk.ts';
import { options } from './options.ts';
import { promises } from './promises.ts';
import { openRestSource } from './source.ts';
import { openRestTarget } from './target.ts';

const rest = defineConnector({
  name: 'rest',
  summary: 'HTTP APIs that answer JSON, GraphQL among them: endpoints, pages, changes and credentials by configuration alone.',
  options,
  cursorVersion: 1,
  limits: 'requests',
  promises,
  openSource: openRestSource,
  openTarget: openRestTarget,
});

export default rest;
