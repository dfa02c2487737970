import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const SECRET_BYTES = 32;

/** The one secret of this Vessel. Everything that proves access is derived from it; it is never shown to a browser. */
export type SessionSecret = {
  /** What scripts send as `Authorization: Bearer`: never log it. */
  readonly bearer: string;
  /** HMAC-SHA256 of `text`, base64url; `purpose` keeps cookies, tickets and others apart. */
  sign(purpose: string, text: string): string;
};

/** Reads `$VESSEL_HOME/session-secret`, or makes it (mode 0600). Two starts at once agree: the file is created exclusively. */
export async function loadSessionSecret(home: string): Promise<SessionSecret> {
  const path = join(home, 'session-secret');
  await mkdir(home, { recursive: true, mode: 0o700 });
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(randomBytes(SECRET_BYTES).toString('hex'));
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await chmod(path, 0o600); // a copied home may have lost its mode
  }
  const text = (await readFile(path, 'utf8')).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error(`${path} does not hold a session secret; remove the file to make a new one`);
  return fromHex(text);
}

/** Separate from the file for tests. `hex` is 64 digits. */
export function fromHex(hex: string): SessionSecret {
  const key = Buffer.from(hex, 'hex');
  return {
    bearer: hex,
    sign: (purpose, text) => createHmac('sha256', key).update(`${purpose}\0${text}`).digest('base64url'),
  };
}

/** Compares in constant time; differing lengths are simply unequal. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
