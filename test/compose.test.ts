import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

/**
 * The part of the compose specification that the file uses, strict, so that a misspelt key fails here and not on somebody's machine.
 * No container engine takes part.
 */
const duration = z.string().regex(/^(\d+(us|ms|s|m|h))+$/);
const service = z.strictObject({
  // A tag that names a version: "latest" would be another server every month.
  image: z.string().regex(/^[a-z][a-z0-9./-]*:\d+(\.\d+)+[a-z0-9.-]*$/),
  command: z.array(z.string()),
  environment: z.record(z.string().regex(/^[A-Z_]+$/), z.string()).optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).nonempty(),
  volumes: z.array(z.string().regex(/^[a-z]+:\/[a-z/]+$/)),
  healthcheck: z.strictObject({
    test: z.tuple([z.enum(['CMD', 'CMD-SHELL']), z.string()], z.string()),
    interval: duration,
    timeout: duration,
    retries: z.int().positive(),
  }),
});
const compose = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/),
  services: z.record(z.string().regex(/^[a-z]+$/), service),
  volumes: z.record(z.string(), z.null()),
});

const file = compose.parse(parse(readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8')));
const services = Object.values(file.services);

describe('docker-compose.yml', () => {
  it('has two PostgreSQL that write a logical log, and MongoDB as a replica set', () => {
    const postgres = services.filter(({ image }) => image.startsWith('postgres:'));
    expect(postgres).toHaveLength(2);
    for (const { command } of postgres) expect(command).toContain('wal_level=logical');
    const mongo = services.filter(({ image }) => image.startsWith('mongo:'));
    expect(mongo.map(({ command }) => command)).toEqual([expect.arrayContaining(['--replSet', 'rs0'])]);
    expect(mongo[0]?.healthcheck.test.join(' ')).toContain('rs.initiate');
  });

  it('gives every service a port of its own and a declared volume', () => {
    const ports = services.flatMap((one) => one.ports.map((port) => port.split(':')[1]));
    expect(new Set(ports).size).toBe(ports.length);
    const mounted = services.flatMap((one) => one.volumes.map((volume) => volume.split(':')[0]));
    expect(new Set(mounted)).toEqual(new Set(Object.keys(file.volumes)));
  });

  it('keeps the data of PostgreSQL 18 where that image keeps them', () => {
    // Since 18 the image refuses a volume at /var/lib/postgresql/data.
    for (const { image, volumes } of services) {
      if (image.startsWith('postgres:')) expect(volumes.map((volume) => volume.split(':')[1])).toEqual(['/var/lib/postgresql']);
    }
  });

  it('has a health check that is JavaScript, for the shell of MongoDB', () => {
    const script = file.services['documents']?.healthcheck.test.at(-1) ?? '';
    // Compiles it, does not run it.
    expect(() => new Script(script)).not.toThrow();
    expect(script).not.toContain('$'); // compose would take it for a variable
  });
});
