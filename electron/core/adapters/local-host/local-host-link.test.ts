import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hostLinkContract } from './host-link.contract.ts';
import { LocalHostLink } from './local-host-link.ts';

const AGENT = fileURLToPath(new URL('./fake-agent.fixture.mjs', import.meta.url));
const make = (env: Record<string, string> = {}, log: (line: string) => void = () => undefined): LocalHostLink =>
  new LocalHostLink({ hostId: 'local', command: [process.execPath, AGENT], env: { VESSEL_HOME: '/some/home', ...env }, log });

hostLinkContract('a local child process', {
  make,
  killAgent: (link) => { const pid = link instanceof LocalHostLink ? link.agentPid : undefined; if (pid !== undefined) process.kill(pid, 'SIGKILL'); },
});

describe('the local host link', () => {
  it('refuses an agent of another protocol version', async () => {
    const link = make({ FAKE_VERSION: '9' });
    await expect(link.request('list', {})).rejects.toThrow(expect.objectContaining({ code: 'HOST_VERSION', details: { theirs: 9, ours: 1 } }));
    await link.dispose();
  });
  it('says HOST_UNREACHABLE when the agent cannot be started at all', async () => {
    const link = new LocalHostLink({ hostId: 'local', command: ['/nonexistent/program'], env: {}, log: () => undefined });
    await expect(link.request('list', {})).rejects.toThrow(expect.objectContaining({ code: 'HOST_UNREACHABLE' }));
    await link.dispose();
  });
  it('gives the agent its home and logs its stderr', async () => {
    const lines: string[] = [];
    const link = make({}, (line) => lines.push(line));
    expect((await link.request('hello', { client: 'test' })).agentVersion).toBe('/some/home');
    expect(lines.join('\n')).toContain('started with');
    await link.dispose();
  });
});
