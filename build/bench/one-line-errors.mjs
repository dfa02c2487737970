// Loaded before a bench: what stops it is one line for people and a reason in its JSON, not a stack trace. VESSEL_DEBUG=1 shows the whole of it.
process.on('uncaughtException', (error) => {
  const message = String(error instanceof Error ? error.message : error).split('\n', 1)[0];
  process.stderr.write(process.env.VESSEL_DEBUG === '1' && error instanceof Error ? `${error.stack}\n` : `  ✗ ${message}\n`);
  process.stdout.write(`${JSON.stringify({ error: message })}\n`, () => process.exit(1));
});
