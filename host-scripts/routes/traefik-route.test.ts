import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { traefikRoute } from './traefik-route.ts';

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
});
