import { z } from 'zod';
import { mappingSchema } from '../mapping/schema.ts';
import { isRecord } from './plain-data.ts';
import { configSchema } from './schema.ts';

/*
 * The published JSON Schemas, made from the zod schemas that the config is decoded with. Editors complete and check by them; `trueup validate`
 * knows more.
 */

export type JsonSchema = { [keyword: string]: unknown };

/** A connector whose options the schema knows. Those of plugins are free. */
export interface DescribedConnector {
  readonly name: string;
  readonly summary: string;
  readonly options: z.core.$ZodType;
}

export function configJsonSchema(connectors: readonly DescribedConnector[]): JsonSchema {
  const schema = withReferences(jsonSchema(configSchema)) as JsonSchema;
  const connection = objectAt(schema, 'properties', 'connections', 'additionalProperties');
  const own = objectAt(connection, 'properties');
  own['connector'] = { ...objectAt(own, 'connector'), examples: connectors.map((connector) => connector.name) };
  connection['allOf'] = connectors.map(({ name, options }) =>
    connectorCondition(name, withReferences(jsonSchema(options)) as JsonSchema, own),
  );
  const stream = objectAt(schema, 'properties', 'jobs', 'additionalProperties', 'properties', 'streams', 'items');
  stream['oneOf'] = [
    { required: ['from'], not: { required: ['query'] } },
    { required: ['query', 'to'], not: { required: ['from'] } },
  ];
  // Mappings inside the config are for TypeScript.
  const mapping = objectAt(stream, 'properties', 'mapping');
  objectAt(stream, 'properties')['mapping'] = { type: 'string', minLength: 1, description: mapping['description'] };
  return schema;
}

export function mappingJsonSchema(): JsonSchema {
  return jsonSchema(mappingSchema());
}

/** Options of one connector as a schema of its own, for the reference. */
export function optionsJsonSchema(connector: DescribedConnector): JsonSchema {
  return jsonSchema(connector.options);
}

function jsonSchema(schema: z.core.$ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: made }) => {
      if (zodSchema._zod.def.type === 'bigint') made.type = 'integer';
    },
  }) as JsonSchema;
}

/** `if` the connection names this connector, `then` these are all of its keys. */
function connectorCondition(name: string, options: JsonSchema, own: JsonSchema): JsonSchema {
  const { properties = {}, required = [] } = options as { properties?: JsonSchema; required?: readonly string[] };
  const keys = Object.fromEntries(Object.keys(own).map((key) => [key, true]));
  return {
    if: { properties: { connector: { const: name } }, required: ['connector'] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema, not a function
    then: { properties: { ...properties, ...keys }, required, additionalProperties: false },
  };
}

const NOT_TEXT = new Set(['integer', 'number', 'boolean']);
const ABOUT = new Set(['description', 'default', 'title', 'examples']);

/** Numbers and switches may also be `"${NAME}"`. */
function withReferences(value: unknown, besideText = false): unknown {
  if (Array.isArray(value))
    return value.map((item) =>
      withReferences(
        item,
        value.some((other) => isRecord(other) && other['type'] === 'string'),
      ),
    );
  if (!isRecord(value)) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withReferences(item)]));
  if (besideText || typeof copy['type'] !== 'string' || !NOT_TEXT.has(copy['type'])) return copy;
  const entries = Object.entries(copy);
  const about = entries.filter(([key]) => ABOUT.has(key));
  const rules = entries.filter(([key]) => !ABOUT.has(key));
  return { ...Object.fromEntries(about), anyOf: [Object.fromEntries(rules), { type: 'string', pattern: String.raw`^\$\{` }] };
}

/** The object at a path of a schema, which is there by construction. */
function objectAt(schema: JsonSchema, ...path: readonly string[]): JsonSchema {
  return path.reduce((object, key) => object[key] as JsonSchema, schema);
}
