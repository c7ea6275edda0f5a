/**
 * Who may import whom. A place is a folder of src/, or a file directly in it. Every place may import itself, `errors.ts` (which all share), npm
 * packages and Node.js; whatever else it imports must be listed here. A new folder has to be added before it can be used.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  // The core: pure, then what survives, then what moves.
  'src/errors.ts': [],
  'src/model': [],
  'src/mapping': ['src/model'],
  'src/config': ['src/model', 'src/mapping'],
  'src/state': ['src/model'],
  'src/resilience': ['src/model'],
  'src/reconcile': ['src/model', 'src/mapping'],
  'src/pipeline': ['src/model', 'src/mapping', 'src/reconcile', 'src/state', 'src/resilience'],
  'src/verify': ['src/model', 'src/mapping', 'src/reconcile', 'src/pipeline'],
  'src/scheduler': ['src/pipeline', 'src/verify', 'src/state'],
  'src/server': ['src/scheduler', 'src/pipeline', 'src/state'],

  // What connectors see. The barrel is the only way in.
  'src/sdk.ts': ['src/model', 'src/resilience', 'src/state'],
  connectors: ['src/sdk.ts'],
  'connectors/index.ts': ['src/sdk.ts', 'connectors'],
  // The fault kit stands between trueup and real connectors, the built-in ones too.
  'src/testing': ['src/sdk.ts', 'src/model', 'connectors/index.ts'],

  // What the command line and programs can ask for: types only.
  'src/api.ts': ['src/model', 'src/config', 'src/pipeline', 'src/verify'],

  // The composition root, and what stands on it.
  'src/connections.ts': ['src/model', 'src/config', 'src/resilience'],
  'src/breakers-now.ts': ['src/api.ts', 'src/model', 'src/config', 'src/resilience'],
  'src/app.ts': [
    'src/breakers-now.ts',
    'src/api.ts',
    'src/connections.ts',
    'src/model',
    'src/mapping',
    'src/config',
    'src/state',
    'src/resilience',
    'src/reconcile',
    'src/pipeline',
    'src/verify',
    'src/scheduler',
    'src/server',
    'connectors/index.ts',
  ],
  'src/index.ts': ['src/api.ts', 'src/app.ts', 'src/sdk.ts', 'src/config', 'src/model', 'src/pipeline', 'src/verify'],
  'src/demo': [],
  // Prints what the app returns, so it sees the types of model/ and the reports of pipeline/ and verify/; of config/ the redactor, the validation and the writing of a config.
  'src/cli': ['src/api.ts', 'src/app.ts', 'src/demo', 'src/model', 'src/pipeline', 'src/verify', 'src/config', 'connectors/index.ts'],
};

/** No I/O: of Node.js they may use these modules alone. */
export const PURE = ['src/model', 'src/mapping', 'src/reconcile'];
export const PURE_MODULES = ['node:assert', 'node:buffer', 'node:crypto', 'node:util'];

/** Only plugins, named in somebody's config, are imported by a computed name. */
export const COMPUTED_IMPORTS = ['src/config', 'src/app.ts'];

/** Barrels: entries of the package. Anything else called index.ts would be one more, except a connector's own, which defines it. */
export const INDEX_FILES = ['src/index.ts', 'src/testing/index.ts', 'src/testing/faults/index.ts', 'connectors/index.ts'];
export const CONNECTOR_INDEX = /^connectors\/[^/]+\/index\.ts$/;

/** Names that say nothing, in the singular too. */
export const EMPTY_NAMES = /^(utils?|commons?|helpers?|libs?|types|managers?)$/;

export const MAX_LINES = 400;

/** The place that a file belongs to: each connector is one of its own. */
export function placeOf(path: string): string {
  if (path in LAYERS) return path;
  const [root = '', folder = ''] = path.split('/');
  return `${root}/${folder}`;
}

/** What a place may import, `undefined` for a place that is not listed. */
export function allowedFor(place: string): readonly string[] | undefined {
  return LAYERS[place] ?? (place.startsWith('connectors/') ? LAYERS['connectors'] : undefined);
}
