import { describe, expect, it } from 'vitest';
import { databaseUrl } from '../../src/demo/documents/database-url.ts';

describe('the url of a database of the demo', () => {
  it.each([
    ['mongodb://localhost:27017', 'mongodb://localhost:27017/own'],
    ['mongodb://localhost:27017/', 'mongodb://localhost:27017/own'],
    ['mongodb://localhost/shop?replicaSet=rs0', 'mongodb://localhost/own?replicaSet=rs0'],
    ['mongodb://a:1,b:2,c:3/?replicaSet=rs0', 'mongodb://a:1,b:2,c:3/own?replicaSet=rs0'],
    ['mongodb://me:p%40ss@a:1,b:2', 'mongodb://me:p%40ss@a:1,b:2/own?authSource=admin'],
    ['mongodb://me:pass@a/users', 'mongodb://me:pass@a/own?authSource=users'],
    [
      'mongodb+srv://me:pass@cluster.example/shop?authSource=people&tls=true',
      'mongodb+srv://me:pass@cluster.example/own?authSource=people&tls=true',
    ],
  ])('of %s is %s', (given, wanted) => {
    expect(databaseUrl(given, 'own', 'THE_URL').url).toBe(wanted);
  });

  it('names the hosts, and neither user nor password', () => {
    expect(databaseUrl('mongodb://me:secret@a:1,b:2/x', 'own', 'THE_URL').hosts).toBe('a:1,b:2');
  });

  it('of what is no url of MongoDB is a mistake of the user, and is not repeated', () => {
    expect(() => databaseUrl('secret@host:27017', 'own', 'THE_URL')).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: 'THE_URL is not a URL of MongoDB' }),
    );
  });
});
