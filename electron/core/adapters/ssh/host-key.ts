import { createHash } from 'node:crypto';

/** A server's public key as it came over the wire. */
export type HostKey = {
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` … */
  readonly type: string;
  /** The key blob (RFC 4253, 6.6). */
  readonly blob: Buffer;
  /** As ssh-keygen prints it: `SHA256:` and unpadded base64. */
  readonly fingerprint: string;
};

/** Reads the type out of a key blob: a length and that many bytes come first. */
export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return { type: blob.subarray(4, 4 + length).toString('ascii'), blob, fingerprint: fingerprintOf(blob) };
}

export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/(?<!=)=+$/, '')}`;
}

/** Whether a person gave exactly this fingerprint; padding is forgiven, nothing else is. */
export const isFingerprint = (text: string, key: HostKey): boolean => text.trim().replace(/(?<!=)=+$/, '') === key.fingerprint;
