/** Verified content by SHA-256, the least recently used leaving first. */
export type MemoryStore = {
  get(sha256: string): Buffer | undefined;
  set(sha256: string, content: Buffer): void;
};

export function createMemoryStore(maxBytes: number): MemoryStore {
  const entries = new Map<string, Buffer>();
  let bytes = 0;
  return {
    get(sha256) {
      const content = entries.get(sha256);
      if (content !== undefined) {
        entries.delete(sha256);
        entries.set(sha256, content); // a Map keeps insertion order: now the newest
      }
      return content;
    },
    set(sha256, content) {
      if (content.length > maxBytes || entries.has(sha256)) return;
      entries.set(sha256, content);
      bytes += content.length;
      for (const [oldest, old] of entries) {
        if (bytes <= maxBytes) return;
        entries.delete(oldest);
        bytes -= old.length;
      }
    },
  };
}
