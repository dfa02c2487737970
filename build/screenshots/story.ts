import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TemplateId } from '#shared/project.ts';
import { finish, vesselCli, type RunningVessel } from '../e2e/vessel.ts';

/** What the people in the pictures do, apart from what the camera clicks. */
export type Story = {
  create(name: string, template: TemplateId): Promise<string>;
  /** A folder that somebody had lying around, imported. */
  importFolder(name: string): Promise<string>;
  /** Opens it without a window; the id of the operation. */
  open(projectId: string): Promise<string>;
  run(projectId: string, line: string): Promise<string>;
  /** One edit and one verified revision. */
  save(projectId: string, edit: string): Promise<void>;
  close(projectId: string): Promise<void>;
  discard(projectId: string): Promise<void>;
  /** Flips bits in the middle of the current archive, as a failing disk would. */
  damage(projectId: string): Promise<void>;
};

export function createStory(vessel: RunningVessel): Story {
  const { client } = vessel;
  const run = async (projectId: string, line: string): Promise<string> => {
    const result = await vesselCli(vessel.env, ['exec', projectId, '--', 'bash', '-lc', line]);
    if (result.code !== 0) throw new Error(`${line}: ${result.code}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };
  return {
    run,
    create: async (name, template) => (await client.call('projects.create', { name, template })).id,
    importFolder: async (name) => {
      const folder = await mkdtemp(join(tmpdir(), 'vsl-story-'));
      await mkdir(join(folder, 'src'));
      await writeFile(join(folder, 'README.md'), `# ${name}\n\nKept for the auditors.\n`);
      for (const part of ['invoice', 'customer', 'ledger', 'tax', 'report']) await writeFile(join(folder, 'src', `${part}.py`), `class ${part}:\n    pass\n`.repeat(40));
      const { projectId, operationId } = await client.call('projects.import', { path: folder, name });
      await finish(client, operationId);
      await rm(folder, { recursive: true });
      return projectId;
    },
    open: async (projectId) => {
      const { operationId } = await client.call('environments.open', { projectId });
      await finish(client, operationId);
      return operationId;
    },
    save: async (projectId, edit) => {
      await run(projectId, edit);
      await finish(client, (await client.call('environments.save', { projectId })).operationId);
    },
    close: async (projectId) => { await finish(client, (await client.call('environments.close', { projectId })).operationId); },
    discard: async (projectId) => { await finish(client, (await client.call('environments.discard', { projectId, confirm: projectId })).operationId); },
    damage: async (projectId) => {
      const { head } = await client.call('projects.get', { projectId });
      if (head === null) throw new Error(`${projectId} has no archive to damage`);
      const file = await open(join(vessel.home, 'cold', projectId, `${head.sha256}.zip`), 'r+');
      try {
        await file.write(Buffer.alloc(16, 0x5a), 0, 16, Math.floor(head.bytes / 2));
      } finally {
        await file.close();
      }
    },
  };
}
