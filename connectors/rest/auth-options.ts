import { z } from '../../src/sdk.ts';
import { httpUrl } from './http-url.ts';

const secret = (description: string) => z.string().min(1).meta({ description, secret: true });

const apiKey = z
  .union([
    z.strictObject({ header: z.string().min(1).describe('Header that carries the key.'), value: secret('The key.') }),
    z.strictObject({ query: z.string().min(1).describe('Parameter of the query that carries the key.'), value: secret('The key.') }),
  ])
  .describe('A key in a header or in the query.');

const oauth2 = z
  .strictObject({
    tokenUrl: httpUrl('Where tokens are given out; http only on this machine.'),
    clientId: z.string().min(1).describe('Id of this client.'),
    clientSecret: secret('Secret of this client.').optional(),
    scope: z.string().min(1).optional().describe('Scopes to ask for, separated by spaces.'),
    refreshToken: secret(
      'The first refresh token. Without it the client asks for itself (client credentials). A new one that the server gives is kept beside the state and used from then on.',
    ).optional(),
    sendAs: z
      .enum(['header', 'body'])
      .default('header')
      .describe('How id and secret of the client are sent: as basic authentication or in the body.'),
  })
  .describe('OAuth 2: client credentials, or a refresh token.');

/** Exactly one way. */
export const auth = z
  .strictObject({
    apiKey: apiKey.optional(),
    bearer: secret('A token that does not expire.').optional(),
    basic: z
      .strictObject({ user: z.string().describe('User.'), password: secret('Password.') })
      .optional()
      .describe('User and password.'),
    oauth2: oauth2.optional(),
  })
  .refine((value) => Object.values(value).filter((one) => one !== undefined).length === 1, 'must name one of apiKey, bearer, basic, oauth2')
  .describe('How requests are authenticated; one of its members. Never sent to another host.');

export type AuthOptions = z.output<typeof auth>;
export type OAuth2Options = z.output<typeof oauth2>;
