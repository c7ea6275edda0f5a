/** Any value that JSON can carry. Plain data only: no Date, no bigint, no undefined. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
