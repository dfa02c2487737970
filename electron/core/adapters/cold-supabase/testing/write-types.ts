import { writeFile } from 'node:fs/promises';
import { applyMigrations, preparePlatform, startCluster } from './cluster.ts';
import { generateTypes, TYPES_FILE } from './generate-types.ts';

const cluster = await startCluster();
try {
  await preparePlatform(cluster);
  await applyMigrations(cluster);
  await writeFile(TYPES_FILE, await generateTypes(cluster));
} finally {
  await cluster.stop();
}
