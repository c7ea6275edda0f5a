/** What is used of the driver's own module, which it has no types for. */
declare module 'mongodb/lib/cmap/commands.js' {
  interface DocumentSequence {
    push(document: object, bytes: Uint8Array): number;
  }
  const commands: { readonly DocumentSequence: new (field: string) => DocumentSequence };
  export default commands;
}
