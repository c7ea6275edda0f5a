import { Decimal128 } from 'bson';
import { BSON, rawBinary, rawElements, rawRegex, rawScopedCode, rawText } from './read.ts';
import type { RawValue } from './read.ts';

/**
 * A value as canonical Extended JSON v2: every type has its own notation, every digit and the order of names are kept.
 * https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/
 */
export function extendedJson(value: RawValue): string {
  const { bytes, type, from } = value;
  switch (type) {
    case BSON.double:
      return wrap('$numberDouble', doubleText(bytes.readDoubleLE(from)));
    case BSON.string:
      return JSON.stringify(rawText(value));
    case BSON.document:
      return `{${rawElements(value)
        .map((element) => `${JSON.stringify(element.name)}:${extendedJson(element.value)}`)
        .join(',')}}`;
    case BSON.array:
      return `[${rawElements(value)
        .map((element) => extendedJson(element.value))
        .join(',')}]`;
    case BSON.binary: {
      const { subtype, content } = rawBinary(value);
      return `{"$binary":{"base64":"${content.toString('base64')}","subType":"${subtype.toString(16).padStart(2, '0')}"}}`;
    }
    case BSON.undefined:
      return '{"$undefined":true}';
    case BSON.objectId:
      return wrap('$oid', bytes.toString('hex', from, from + 12));
    case BSON.bool:
      return bytes[from] === 1 ? 'true' : 'false';
    case BSON.date:
      return `{"$date":{"$numberLong":"${bytes.readBigInt64LE(from)}"}}`;
    case BSON.null:
      return 'null';
    case BSON.regex: {
      const { pattern, options } = rawRegex(value);
      return `{"$regularExpression":{"pattern":${JSON.stringify(pattern)},"options":${JSON.stringify(options)}}}`;
    }
    case BSON.dbPointer:
      return `{"$dbPointer":{"$ref":${JSON.stringify(rawText({ ...value, to: value.to - 12 }))},"$id":${wrap('$oid', bytes.toString('hex', value.to - 12, value.to))}}}`;
    case BSON.code:
      return wrap('$code', rawText(value));
    case BSON.symbol:
      return wrap('$symbol', rawText(value));
    case BSON.codeWithScope: {
      const { code, scope } = rawScopedCode(value);
      return `{"$code":${JSON.stringify(code)},"$scope":${extendedJson(scope)}}`;
    }
    case BSON.int32:
      return wrap('$numberInt', String(bytes.readInt32LE(from)));
    case BSON.timestamp:
      return `{"$timestamp":{"t":${bytes.readUInt32LE(from + 4)},"i":${bytes.readUInt32LE(from)}}}`;
    case BSON.int64:
      return wrap('$numberLong', String(bytes.readBigInt64LE(from)));
    case BSON.decimal:
      return wrap('$numberDecimal', decimal128Text(value));
    default:
      return type === BSON.minKey ? '{"$minKey":1}' : '{"$maxKey":1}';
  }
}

export function decimal128Text({ bytes, from, to }: RawValue): string {
  return new Decimal128(bytes.subarray(from, to)).toString();
}

function wrap(name: string, text: string): string {
  return `{"${name}":${JSON.stringify(text)}}`;
}

function doubleText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return Number.isInteger(value) && /^-?\d+$/.test(text) ? `${text}.0` : text;
}
