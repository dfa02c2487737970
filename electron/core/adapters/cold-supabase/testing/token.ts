import { createHmac, timingSafeEqual } from 'node:crypto';

export type Claims = { readonly sub: string; readonly role: string; readonly exp: number };
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const sign = (text: string, secret: string): Buffer => createHmac('sha256', secret).update(text).digest();

/** A JSON web token (HS256), as a project's auth server signs them. */
export function makeToken(claims: object, secret: string): string {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${sign(text, secret).toString('base64url')}`;
}

/** What a token says; null when it is absent, forged or expired. `now` in Unix milliseconds. */
export function readToken<T extends { readonly exp: number } = Claims>(token: string | null, secret: string, now: number): T | null {
  const [head, body, signature] = (token ?? '').split('.');
  if (head === undefined || body === undefined || signature === undefined) return null;
  const given = Buffer.from(signature, 'base64url');
  const right = sign(`${head}.${body}`, secret);
  if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as T;
  return claims.exp * 1000 > now ? claims : null;
}
