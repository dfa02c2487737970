import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { codeServer } from '../ide/code-server.ts';
import { GUEST_USER, WORKSPACE_DIR } from './guest-layout.ts';
import { writeOciContext } from './oci-context.ts';
import { GUEST_PACKAGES, IDE_BUILD_PACKAGES } from './packages.ts';
import { NODE_VERSION, NPM_VERSION } from './pins.ts';

const text = await readFile(new URL('../Dockerfile', import.meta.url), 'utf8');

/** The packages of each apt-get install, by stage. */
const installs = text.replaceAll('\\\n', ' ').split('\n').filter((line) => line.includes('--no-install-recommends')).map((line) => (/--no-install-recommends\s+([^&]+)/.exec(line)?.[1] ?? '').trim().split(/\s+/));

describe('the Dockerfile', () => {
  let dir = '';
  afterEach(async () => { await rm(dir, { recursive: true, force: true }); });

  it('installs exactly the packages of the recipe', () => {
    expect(installs).toHaveLength(3);
    expect(installs[1]?.toSorted()).toEqual([...IDE_BUILD_PACKAGES].toSorted());
    expect(installs[2]?.toSorted()).toEqual([...GUEST_PACKAGES].toSorted());
  });

  it('pins the same Node and npm, makes the same user, and starts from Ubuntu 22.04', () => {
    expect(text).toContain(`NODE_VERSION=${NODE_VERSION}\n`);
    expect(text).toContain(`NPM_VERSION=${NPM_VERSION}\n`);
    expect(text).toContain(`useradd --uid ${GUEST_USER.uid} --gid ${GUEST_USER.gid} --home-dir ${GUEST_USER.home}`);
    expect(text).toContain(WORKSPACE_DIR);
    expect(text.match(/^FROM (\S+)/gm)).toEqual(['FROM ubuntu:22.04', 'FROM ubuntu:22.04', 'FROM ubuntu:22.04']);
  });

  it('copies only what its context holds or an earlier stage made', async () => {
    dir = await mkdtemp(join(tmpdir(), 'vessel-oci-'));
    await writeOciContext(dir, codeServer, 'agent', 'http://registry.example/');
    const present = await readdir(dir);
    for (const line of text.split('\n').filter((entry) => entry.startsWith('COPY ') && !entry.includes('--from='))) {
      for (const source of line.split(/\s+/).slice(1, -1)) expect(present).toContain(source.replace(/\/$/, ''));
    }
    expect(await readFile(join(dir, 'files/etc/inittab'), 'utf8')).toContain('::respawn:/usr/lib/vessel/run-agent');
    expect(JSON.parse(await readFile(join(dir, 'files/etc/vessel/agent.json'), 'utf8'))).toMatchObject({ workspace: WORKSPACE_DIR });
  });
});
