/** The path of a file beside the archive of a packaged app: programs and files that another process reads lie there. */
export function unpacked(path: string): string {
  return path.replace(/\bapp\.asar(?=[\\/])/, 'app.asar.unpacked');
}
