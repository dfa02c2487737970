import { z } from 'zod';

/** A project id is a DNS label: it is also the VM name and the host name (`<id>.localhost`). At most 40 characters, so that `65535--<id>` stays a label. */
export const ProjectIdSchema = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/).refine((id) => !id.includes('--'), 'no double hyphen');
/** On the host a project is only a VM of the same name. */
export const VmIdSchema = ProjectIdSchema;

const SUFFIX_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

/**
 * A readable, unique project id from a display name: `Shop API` → `shop-api-k3f9`.
 * `random` gives uniformly distributed bytes (4 are asked for).
 */
export function makeProjectId(name: string, random: (bytes: number) => Uint8Array): string {
  const slug = name.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase()
    .replace(/[^a-z0-9]+/g, '-').replace(/^-+|(?<!-)-+$/g, '').slice(0, 30).replace(/(?<!-)-+$/, '');
  const suffix = [...random(4)].map((byte) => SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length]).join('');
  return `${slug === '' ? 'project' : slug}-${suffix}`;
}
