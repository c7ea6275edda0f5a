import { parsePattern } from './pattern-parse.ts';
import type { PatternNode, Ranges } from './pattern-parse.ts';

/** Whether a text holds a match somewhere. Takes time in proportion to text × pattern, never more. */
export type Pattern = (text: string) => boolean;

type Assertion = Extract<PatternNode, { kind: 'assert' }>['what'];
type Instruction =
  | { readonly op: 'set'; readonly ranges: Ranges; next: number }
  | { readonly op: 'assert'; readonly what: Assertion; next: number }
  | { readonly op: 'split'; next: number; other: number }
  | { readonly op: 'match' };

/** Counted repetitions are written out; more steps than this are refused. */
const MAX_INSTRUCTIONS = 5000;

/** @throws {Error} with a sentence about what is wrong with the pattern */
export function compilePattern(text: string): Pattern {
  const program: Instruction[] = [];
  const start = emit(program, parsePattern(text), add(program, { op: 'match' }));
  return (subject) => search(program, start, subject);
}

function add(program: Instruction[], instruction: Instruction): number {
  if (program.length >= MAX_INSTRUCTIONS) throw new Error('it is too large: its repetitions write out to too many steps');
  program.push(instruction);
  return program.length - 1;
}

/** Writes a node from its end to its beginning. Returns where it begins. */
function emit(program: Instruction[], node: PatternNode, next: number): number {
  switch (node.kind) {
    case 'set':
      return add(program, { op: 'set', ranges: node.ranges, next });
    case 'assert':
      return add(program, { op: 'assert', what: node.what, next });
    case 'sequence':
      return node.parts.reduceRight((after, part) => emit(program, part, after), next);
    case 'choice':
      return node.options
        .map((option) => emit(program, option, next))
        .reduceRight((other, option) => add(program, { op: 'split', next: option, other }));
    case 'repeat':
      return emitRepeat(program, node, next);
  }
}

function emitRepeat(program: Instruction[], { part, least, most }: Extract<PatternNode, { kind: 'repeat' }>, next: number): number {
  let start = next;
  if (most === Infinity) {
    start = add(program, { op: 'split', next: 0, other: next });
    (program[start] as { next: number }).next = emit(program, part, start);
  } else {
    for (let i = least; i < most; i++) start = add(program, { op: 'split', next: emit(program, part, start), other: next });
  }
  for (let i = 0; i < least; i++) start = emit(program, part, start);
  return start;
}

/** All ways through the program at once, one code point at a time (Thompson). */
function search(program: readonly Instruction[], start: number, text: string): boolean {
  const seen = new Uint32Array(program.length);
  let round = 0;
  let current: number[] = [];
  let before = -1;
  for (let at = 0; ;) {
    const code = at < text.length ? (text.codePointAt(at) as number) : -1;
    round++;
    const ready: number[] = [];
    const pending = [...current.reverse(), start];
    while (pending.length > 0) {
      const index = pending.pop() as number;
      if (seen[index] === round) continue;
      seen[index] = round;
      const instruction = program[index] as Instruction;
      if (instruction.op === 'match') return true;
      if (instruction.op === 'split') pending.push(instruction.other, instruction.next);
      else if (instruction.op === 'set') ready.push(index);
      else if (holds(instruction.what, before, code)) pending.push(instruction.next);
    }
    if (code === -1) return false;
    current = [];
    for (const index of ready) {
      const instruction = program[index] as Extract<Instruction, { op: 'set' }>;
      if (contains(instruction.ranges, code)) current.push(instruction.next);
    }
    before = code;
    at += code > 0xffff ? 2 : 1;
  }
}

function holds(what: Assertion, before: number, code: number): boolean {
  if (what === 'start') return before === -1;
  if (what === 'end') return code === -1;
  return (isWord(before) !== isWord(code)) === (what === 'word');
}

function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122);
}

function contains(ranges: Ranges, code: number): boolean {
  if (ranges.length < 8) return ranges.some(([low, high]) => code >= low && code <= high);
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle] as readonly [number, number];
    if (code < range[0]) high = middle - 1;
    else if (code > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}
