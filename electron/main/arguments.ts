/** `--port N` or `--port=N` among the program's arguments; null when absent or no port. Chromium's own switches are left alone. */
export function portArgument(argv: readonly string[]): number | null {
  const index = argv.findIndex((argument) => argument === '--port' || argument.startsWith('--port='));
  if (index === -1) return null;
  const text = argv[index]?.includes('=') === true ? argv[index].slice('--port='.length) : argv[index + 1];
  const port = text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}
