/** A name without parts: its dots are written so that nobody takes what stands before them for a schema. */
export function escapeDots(name: string): string {
  return name.replaceAll(/[\\.]/g, String.raw`\$&`);
}
