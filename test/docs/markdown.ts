import { readFileSync } from 'node:fs';
import { globSync } from 'node:fs';

export interface Page {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

/** The pages that a reader sees, generated ones included. */
export function pages(): Page[] {
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/**/*.md')].map((path) => ({
    path,
    text: readFileSync(path, 'utf8'),
  }));
}

/** Fenced blocks of a language; '' for those without one. */
export function blocks({ text }: Page, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].filter(([, name]) => name === language).map(([, , body]) => body ?? '');
}

/** Targets of links, without those to other sites. */
export function localLinks({ text }: Page): string[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '').filter((target) => !/^[a-z]+:/.test(target));
}

/** Headings as GitHub names them in addresses. */
export function anchors({ text }: Page): string[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    (title ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  );
}

/** Every `trueup …` command line: lines of shell blocks, and inline code. Comments and continuations are taken off. */
export function commandLines(page: Page): string[] {
  const lines = ['', 'sh', 'bash', 'ini'].flatMap((language) => blocks(page, language)).flatMap((block) => block.split('\n'));
  const inline = [...page.text.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  return [...lines, ...inline].flatMap((line) => /(?:^|[/\s]|&& )trueup ([a-z-][^#]*?)(?: {2,}| *#| >>|$)/.exec(line)?.[1]?.trim() ?? []);
}
