import { createHash, timingSafeEqual } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';

const MINIMUM_TOKEN_LENGTH = 32;
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The one bearer token that opens this agent. Only its hash is kept in memory. */
export class TokenGuard {
  readonly #file: string;
  #digest: Buffer;

  /** Throws when the file is missing or its token is shorter than 32 characters. */
  constructor(file: string) {
    this.#file = file;
    const token = readFileSync(file, 'utf8').trim();
    if (token.length < MINIMUM_TOKEN_LENGTH) throw new Error(`${file}: the token must have at least ${MINIMUM_TOKEN_LENGTH} characters`);
    this.#digest = digest(`Bearer ${token}`);
  }

  /** Compares hashes in constant time, so neither content nor length leaks. */
  accepts(request: IncomingMessage): boolean {
    const { authorization } = request.headers;
    return authorization !== undefined && timingSafeEqual(digest(authorization), this.#digest);
  }

  /** From now on only `token` works, also after a restart of the agent. */
  replace(token: string): void {
    this.#digest = digest(`Bearer ${token}`);
    writeFileSync(this.#file, token, { mode: 0o600 });
    chmodSync(this.#file, 0o600);
  }
}
