import { TrueupError } from '../../src/sdk.ts';
import type { JsonPath } from './json-path.ts';

/*
 * Cuts a JSON document that arrives in pieces into the records of one array inside of it and the rest, so that no more than a record is in memory at a time.
 * It looks at strings and brackets alone; whether a record is JSON is for its parser to say, and the rest is parsed as a whole at the end.
 *
 *   outside   before and after the array: text goes to the rest, and the names on the way are kept
 *   inside    between the brackets of the array: records end at a comma of depth 0
 *   single    inside of an object that stands where the array is expected: it is the only record
 */

/** The text of a record, and where it begins in the document, in characters from 0. */
export interface Piece {
  readonly text: string;
  readonly at: number;
}

export interface Rest {
  /** The document with `[]` in place of the records, or `null` in place of the only one. */
  readonly text: string;
  /** Whether the array, or the only record, was there. */
  readonly found: boolean;
  /** `false`: the document ends among the records. */
  readonly isWhole: boolean;
  /** Where a character of `text` stands in the document. */
  position(index: number): number;
}

interface Frame {
  readonly isObject: boolean;
  /** The name or index that is being read. */
  name: string;
  index: number;
  awaitsName: boolean;
}

const MAX_REST = 32 * 2 ** 20;

export class JsonSplitter {
  readonly #path: JsonPath;
  readonly #allowsSingle: boolean;
  readonly #maxPiece: number;
  readonly #stack: Frame[] = [];
  #mode: 'outside' | 'inside' | 'single' = 'outside';
  #inString = false;
  #escaped = false;
  #depth = 0;
  /** Characters of earlier chunks. */
  #before = 0;
  #rest: string[] = [];
  #restLength = 0;
  #piece: string[] = [];
  #pieceLength = 0;
  #pieceAt = -1;
  #pieces = 0;
  #name: string[] | null = null;
  #found = false;
  #cutAt = 0;
  #cutLength = 0;

  constructor(path: JsonPath, options: { readonly allowsSingle: boolean; readonly maxPiece: number }) {
    this.#path = path;
    this.#allowsSingle = options.allowsSingle;
    this.#maxPiece = options.maxPiece;
  }

  /** The records that end in this chunk. */
  push(chunk: string): Piece[] {
    const pieces: Piece[] = [];
    let at = 0;
    while (at < chunk.length) at = this.#mode === 'outside' ? this.#outside(chunk, at) : this.#inside(chunk, at, pieces);
    this.#before += chunk.length;
    return pieces;
  }

  end(): Rest {
    const [isCut, cutAt, cutLength] = [this.#found, this.#cutAt, this.#cutLength];
    const position = (index: number): number => (isCut && index >= cutAt ? index + cutLength : index);
    return { text: this.#rest.join(''), found: this.#found, isWhole: this.#mode === 'outside', position };
  }

  /** Returns where to go on. */
  #outside(chunk: string, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at);
      if (this.#inString) {
        this.#stringChar(chunk, at, code);
        continue;
      }
      const frame = this.#stack.at(-1);
      if (code === 34) {
        this.#inString = true;
        this.#name = frame?.isObject === true && frame.awaitsName ? [] : null;
      } else if (code === 123 || code === 91) {
        const isHere = !this.#found && this.#isAtPath();
        if (isHere && (code === 91 || this.#allowsSingle)) {
          this.#keep(chunk.slice(from, at) + (code === 91 ? '[' : 'null'));
          this.#open(code === 91 ? 'inside' : 'single');
          if (code === 91) this.#stack.push({ isObject: false, name: '', index: 0, awaitsName: false });
          return code === 91 ? at + 1 : at;
        }
        this.#stack.push({ isObject: code === 123, name: '', index: 0, awaitsName: code === 123 });
      } else if (code === 125 || code === 93) this.#stack.pop();
      else if (code === 44 && frame !== undefined) {
        frame.index += 1;
        frame.awaitsName = frame.isObject;
      } else if (code === 58 && frame !== undefined) frame.awaitsName = false;
    }
    this.#keep(chunk.slice(from));
    return chunk.length;
  }

  #stringChar(chunk: string, at: number, code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === 92) this.#escaped = true;
    else if (code === 34) {
      this.#inString = false;
      const frame = this.#stack.at(-1);
      if (this.#name !== null && frame !== undefined) frame.name = nameOf(this.#name.join(''));
      this.#name = null;
      return;
    }
    this.#name?.push(chunk[at] as string);
  }

  #isAtPath(): boolean {
    return (
      this.#stack.length === this.#path.length &&
      this.#stack.every((frame, place) => (frame.isObject ? frame.name : String(frame.index)) === this.#path[place])
    );
  }

  #open(mode: 'inside' | 'single'): void {
    this.#mode = mode;
    this.#found = true;
    this.#depth = 0;
    this.#cutAt = this.#restLength;
    // Up to here the rest and the document are the same.
    this.#cutLength = -this.#cutAt;
    this.#pieceAt = -1;
  }

  #inside(chunk: string, from: number, pieces: Piece[]): number {
    let start = from;
    for (let at = from; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === 92) this.#escaped = true;
        else if (code === 34) this.#inString = false;
        continue;
      }
      if (this.#pieceAt < 0 && code > 32) {
        start = at;
        this.#pieceAt = this.#before + at;
      }
      if (code === 34) this.#inString = true;
      else if (code === 123 || code === 91) this.#depth += 1;
      else if (code === 44 && this.#depth === 0) {
        this.#end(chunk.slice(start, at), pieces);
        start = at + 1;
      } else if (code === 125 || code === 93) {
        if (this.#depth > 0) {
          this.#depth -= 1;
          if (this.#depth > 0 || this.#mode === 'inside') continue;
          this.#end(chunk.slice(start, at + 1), pieces);
          return this.#close(at + 1);
        }
        // `]` right after a comma is a record without text, which is no JSON.
        if (this.#pieceAt !== this.#before + at || this.#pieces > 0) this.#end(chunk.slice(start, at), pieces);
        return this.#close(at);
      }
    }
    if (this.#pieceAt >= 0) this.#take(chunk.slice(start));
    return chunk.length;
  }

  #end(text: string, pieces: Piece[]): void {
    this.#take(text);
    pieces.push({ text: this.#piece.join(''), at: Math.max(this.#pieceAt, 0) });
    this.#pieces += 1;
    this.#piece = [];
    this.#pieceLength = 0;
    this.#pieceAt = -1;
  }

  #close(at: number): number {
    this.#mode = 'outside';
    this.#cutLength += this.#before + at;
    return at;
  }

  #take(text: string): void {
    this.#pieceLength += text.length;
    if (this.#pieceLength > this.#maxPiece)
      throw new TrueupError(
        'E_ANSWER',
        `a record of the answer is longer than ${this.#maxPiece} characters (it begins at character ${this.#pieceAt + 1})`,
      );
    this.#piece.push(text);
  }

  #keep(text: string): void {
    this.#restLength += text.length;
    if (this.#restLength > MAX_REST)
      throw new TrueupError(
        'E_ANSWER',
        `the answer holds more than ${MAX_REST} characters beside its records; is \`records\` the path of the array?`,
      );
    this.#rest.push(text);
  }
}

/** What escapes in a name stand for; a name that is no JSON stays as it is, and the parser of the rest refuses it. */
function nameOf(raw: string): string {
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}
