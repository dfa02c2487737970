export async function runWorker(): Promise<void> {
  await Promise.resolve();
}
