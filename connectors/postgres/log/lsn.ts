/** A place in the write-ahead log, in bytes from its beginning. As text `16/B374D848`, two halves in hex. */
export type Lsn = bigint;

/** `null`: it is no LSN. */
export function parseLsn(text: string): Lsn | null {
  const parts = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  return parts === null ? null : (BigInt(`0x${parts[1] ?? ''}`) << 32n) | BigInt(`0x${parts[2] ?? ''}`);
}

export function lsnText(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}
