import { z } from '../../src/sdk.ts';

/** An address without a query: paths and parameters are put behind it. */
export const httpUrl = (description: string) =>
  z
    .string()
    .regex(/^https?:\/\/[^/?#@]+(\/[^?#]*)?$/, 'must be an address such as https://api.example/v1, without query or credentials')
    .refine((text) => URL.canParse(text), 'must be an address such as https://api.example/v1')
    .describe(description);
