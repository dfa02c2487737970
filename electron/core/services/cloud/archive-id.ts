import type { Revision } from '#shared/project.ts';

/** The id of a revision in every cloud: a UUID (version 8) from what it is, so that devices agree on it and sending twice is sending once. */
export async function archiveId({ projectId, sha256, createdAt }: Pick<Revision, 'projectId' | 'sha256' | 'createdAt'>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`vessel revision\n${projectId}\n${sha256}\n${createdAt}`)));
  const bytes = digest.slice(0, 16);
  bytes[6] = (bytes[6] ?? 0) & 0x0f | 0x80;
  bytes[8] = (bytes[8] ?? 0) & 0x3f | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
