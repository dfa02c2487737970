/** Endings of content that is compressed already: deflating it again costs time and gains nothing. */
const COMPRESSED = new Set([
  '7z', 'aac', 'apk', 'avif', 'br', 'bz2', 'docx', 'flac', 'gif', 'gz', 'heic', 'jar', 'jpeg', 'jpg', 'lz4', 'm4a', 'm4v', 'mkv', 'mov', 'mp3', 'mp4',
  'ogg', 'opus', 'pack', 'png', 'pptx', 'tgz', 'vsix', 'webm', 'webp', 'whl', 'woff', 'woff2', 'xlsx', 'xz', 'zip', 'zst',
]);
/** Below this the deflate block's own bytes eat the gain. */
const MIN_BYTES = 64;

export function isWorthDeflating(name: Buffer, size: number): boolean {
  if (size < MIN_BYTES) return false;
  const dot = name.lastIndexOf(0x2e);
  return dot === -1 || name.length - dot > 6 || !COMPRESSED.has(name.toString('latin1', dot + 1).toLowerCase());
}
