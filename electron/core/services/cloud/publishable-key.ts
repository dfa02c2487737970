import { VesselError } from '#shared/errors.ts';

const HINT = 'Use the publishable key (`sb_publishable_…`, or the older `anon` key). If the secret key was written down or shown anywhere here, make a new one in the dashboard of the project.';

/** Refuses keys that open every account of the cloud project: they would be kept as what is no secret. The message never holds the key. Throws BAD_REQUEST. */
export function requirePublishable(key: string): void {
  if (/^sb_secret_/.test(key.trim()) || roleOf(key) === 'service_role') throw new VesselError('BAD_REQUEST', 'This is a secret key of the cloud project, which can read and change the data of every user', { hint: HINT });
}

/** The role in a key of the older kind, which is a JSON web token; null for any other. */
function roleOf(key: string): string | null {
  const [, payload, signature] = key.trim().split('.');
  if (payload === undefined || signature === undefined) return null;
  try {
    const { role } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { readonly role?: unknown };
    return typeof role === 'string' ? role : null;
  } catch {
    return null; // no token: the server will say what it thinks of it
  }
}
