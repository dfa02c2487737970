import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Beside this program: `out/server/` when built, `electron/server/` in the source tree (which then uses what was built). */
const beside = (built: string, source: string): string => {
  const path = fileURLToPath(new URL(built, import.meta.url));
  return existsSync(path) ? path : fileURLToPath(new URL(source, import.meta.url));
};

export const rendererDirectory = (): string => beside('../renderer/', '../../out/renderer/');
export const agentProgram = (): string => beside('../host/infra-agent.mjs', '../../out/host/infra-agent.mjs');
