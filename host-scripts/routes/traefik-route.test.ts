import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { load } from 'js-yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Vm } from '#shared/host-protocol.ts';
import { RouteFolder, traefikRoute } from './traefik-route.ts';

/** Traefik's own schemas, which lie beside the repository where it is developed. */
const schema = (name: string): string => fileURLToPath(new URL(`../../../shared/schemas/${name}`, import.meta.url));

async function errorsOf(schemaName: string, document: unknown): Promise<unknown> {
  // The schemas are draft-07 with formats of Go's own; what counts here is their structure.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const validate = ajv.compile(JSON.parse(await readFile(schema(schemaName), 'utf8')) as object);
  return validate(document) ? null : validate.errors;
}

const missing = (name: string): string | null => existsSync(schema(name)) ? null : `skipped: ${schema(name)} is not beside this repository`;

describe('the configuration of Traefik', () => {
  it('keeps to the static schema and listens on loopback only', async (context) => {
    const why = missing('traefik-v2.json');
    if (why !== null) return context.skip(why);
    const document = load(await readFile(new URL('../../traefik/traefik.yml', import.meta.url), 'utf8')) as { readonly entryPoints: Readonly<Record<string, { readonly address: string }>> };
    expect(await errorsOf('traefik-v2.json', document)).toBeNull();
    for (const { address } of Object.values(document.entryPoints)) expect(address).toMatch(/^127\.0\.0\.1:/);
  });

  it('gets a rule for each environment that keeps to the file provider\'s schema', async (context) => {
    const why = missing('traefik-v2-file-provider.json');
    if (why !== null) return context.skip(why);
    const document = load(traefikRoute({ id: 'shop-api-k3f9', host: '127.0.0.1', port: 40123 }));
    expect(await errorsOf('traefik-v2-file-provider.json', document)).toBeNull();
  });

  it('routes the names of an environment and of its ports to the address of the guest agent', () => {
    expect(load(traefikRoute({ id: 'shop', host: '127.0.0.1', port: 40123 }))).toEqual({
      http: {
        routers: { shop: { rule: 'Host(`shop.localhost`, `shop.vessel.localhost`) || HostRegexp(`{port:[0-9]+}--shop.localhost`, `{port:[0-9]+}--shop.vessel.localhost`)', entryPoints: ['web'], service: 'shop' } },
        services: { shop: { loadBalancer: { passHostHeader: true, servers: [{ url: 'http://127.0.0.1:40123' }] } } },
      },
    });
  });

  it('is never made of what is no name or no address', () => {
    for (const wrong of [{ id: 'a`) || Host(`b' }, { id: 'Shop' }, { host: 'guest.example' }, { host: '' }, { port: 0 }, { port: 65_536 }, { port: 1.5 }]) {
      expect(() => traefikRoute({ id: 'shop', host: '127.0.0.1', port: 1, ...wrong })).toThrow(expect.objectContaining({ code: 'INTERNAL' }) as Error);
    }
  });
});

describe('the folder that Traefik watches', () => {
  let folder = '';
  let routes: RouteFolder;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vroutes-')); routes = new RouteFolder(join(folder, 'traefik')); });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const vm = (id: string, port: number, state: Vm['state'] = 'running'): Vm => ({
    id, driver: 'process', state, tier: 'medium', address: state === 'running' ? { host: '127.0.0.1', port } : null, token: 't', startKind: 'clone', createdAt: 1, startedAt: 1, imageKey: 'i', pid: 1, problem: null,
  });
  const files = (): readonly string[] => readdirSync(join(folder, 'traefik')).sort();
  const text = (name: string): string => readFileSync(join(folder, 'traefik', name), 'utf8');

  it('is repaired: what is missing, damaged or leads elsewhere is written anew, for Traefik to read', async () => {
    await routes.write({ id: 'moved', host: '127.0.0.1', port: 1 });
    await routes.write({ id: 'torn', host: '127.0.0.1', port: 2 });
    writeFileSync(routes.path('torn'), 'http:\n  rou');
    const vms = [vm('moved', 11), vm('torn', 2), vm('missing', 3)];
    expect(await routes.reconcile(() => Promise.resolve(vms))).toBe(vms);
    expect(files()).toEqual(['missing.yml', 'moved.yml', 'torn.yml']);
    expect([text('moved.yml'), text('torn.yml'), text('missing.yml')]).toEqual(vms.map(({ id, address }) => traefikRoute({ id, host: '127.0.0.1', port: address?.port ?? 0 })));
    expect(statSync(routes.path('missing')).mode & 0o777).toBe(0o644);
  });

  it('loses the rule of what sleeps, died or is gone, and of nothing else', async () => {
    for (const id of ['gone', 'asleep', 'broken', '123', 'starting', 'runs']) await routes.write({ id, host: '127.0.0.1', port: 9 });
    writeFileSync(routes.path('theirs'), 'http:\n  routers:\n    website: {}\n');
    await routes.reconcile(() => Promise.resolve([vm('asleep', 9, 'hibernated'), vm('broken', 9, 'broken'), vm('starting', 9, 'starting'), vm('runs', 9)]));
    expect(files()).toEqual(['runs.yml', 'starting.yml', 'theirs.yml']);
  });

  it('writes nothing where all is well, and is left alone by what comes and goes meanwhile', async () => {
    await routes.write({ id: 'runs', host: '127.0.0.1', port: 9 });
    const before = statSync(routes.path('runs')).ino;
    await routes.reconcile(async () => { await routes.write({ id: 'newcomer', host: '127.0.0.1', port: 8 }); return [vm('runs', 9)]; });
    expect([statSync(routes.path('runs')).ino, files()]).toEqual([before, ['newcomer.yml', 'runs.yml']]);
    let looks = 0;
    await routes.reconcile(() => Promise.resolve((looks += 1) === 1 ? [vm('runs', 9), vm('newcomer', 8), vm('ended', 7)] : [vm('runs', 9), vm('newcomer', 8)]));
    expect(files()).toEqual(['newcomer.yml', 'runs.yml']);
  });
});
