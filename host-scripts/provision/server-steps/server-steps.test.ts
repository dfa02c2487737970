import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostPaths } from '../../paths.ts';
import { Journal } from '../journal.ts';
import { kvmModule } from './kernel-modules.ts';
import { place, takeAway } from './managed-files.ts';
import { takenPorts } from './ports.ts';
import { resourcesStep } from './resources.ts';
import { traefikStep } from './traefik.ts';
import { idleTimerStep } from './idle-timer.ts';

let folder = '';
let journal: Journal;
const signal = new AbortController().signal;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vserver-')); journal = new Journal(join(folder, 'state', 'journal.jsonl')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that provisioning keeps among the host\'s own', () => {
  const file = (path: string, text = 'ours\n'): Parameters<typeof place>[1] => ({ kind: 'file', path: join(folder, path), text, mode: 0o644 });

  it('never replaces one that was there before', async () => {
    writeFileSync(join(folder, 'theirs.conf'), 'theirs');
    await expect(place('step', file('theirs.conf'), journal)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(readFileSync(join(folder, 'theirs.conf'), 'utf8')).toBe('theirs');
    expect(await journal.standing()).toEqual([]);
  });

  it('comes and goes with the folders made for it, newest first, and is brought up to date', async () => {
    await place('step', file('etc/a/b.conf'), journal);
    await place('step', file('etc/a/b.conf', 'newer\n'), journal);
    await place('step', { kind: 'link', path: join(folder, 'etc/a/link'), to: '/nowhere' }, journal);
    expect(readFileSync(join(folder, 'etc/a/b.conf'), 'utf8')).toBe('newer\n');
    const items = (await journal.standing()).map(({ item }) => item.slice(folder.length));
    expect(items).toEqual(['/etc', '/etc/a', '/etc/a/b.conf', '/etc/a/link']);
    writeFileSync(join(folder, 'etc/a/somebody'), '');
    expect(await Promise.all([takeAway(join(folder, 'etc/a/link')), takeAway(join(folder, 'etc/a/b.conf'))])).toEqual([null, null]);
    expect(await takeAway(join(folder, 'etc/a'))).toBe('something else is in it');
    rmSync(join(folder, 'etc/a/somebody'));
    expect([await takeAway(join(folder, 'etc/a')), await takeAway(join(folder, 'etc')), await takeAway(join(folder, 'etc'))]).toEqual([null, null, null]);
    expect(existsSync(join(folder, 'etc'))).toBe(false);
  });
});

describe('what a server is looked at for', () => {
  it('is its web ports: who listens, at any address of both families', async () => {
    mkdirSync(join(folder, 'net'));
    const head = '  sl  local_address rem_address   st tx_queue\n';
    writeFileSync(join(folder, 'net', 'tcp'), `${head}   0: 0100007F:0050 00000000:0000 0A 0\n   1: 0100007F:01BB 0100007F:C000 01 0\n`);
    writeFileSync(join(folder, 'net', 'tcp6'), `${head}   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0\n`);
    expect(await takenPorts([80, 443, 8080], join(folder, 'net'))).toEqual([80, 8080]);
  });

  it('is the virtualisation of its processor', () => {
    expect([kvmModule('flags\t\t: fpu vmx sse'), kvmModule('flags\t\t: fpu svm'), kvmModule('flags\t\t: fpu vmxnet')]).toEqual(['kvm_intel', 'kvm_amd', null]);
  });

  it('is its disk, and too little of it is named with the place', async () => {
    const paths = hostPaths({ env: {}, isRoot: true, home: folder, cache: '/proc' });
    expect(await resourcesStep(paths, () => Promise.resolve(false)).check(signal)).toMatchObject({ present: false, evidence: expect.stringMatching(/at least 5 GB must be free where \/proc lies/) as unknown });
  });
});

const UNITS = fileURLToPath(new URL('../../../traefik/', import.meta.url));
const systemdRuns = existsSync('/run/systemd/system');

describe('what needs systemd', () => {
  it('is skipped with the reason where systemd does not run', async (context) => {
    if (systemdRuns) return context.skip('systemd runs here');
    const paths = hostPaths({ env: {}, isRoot: true, home: folder, cache: folder });
    for (const step of [traefikStep(paths, journal, undefined), idleTimerStep(journal)]) expect(await step.check(signal)).toMatchObject({ skipped: true, evidence: expect.stringContaining('systemd does not run here') as unknown, plan: [] });
  });

  it('is described by units that systemd itself finds well formed', (context) => {
    if (!existsSync('/usr/bin/systemd-analyze')) return context.skip('no systemd-analyze here');
    // The programs they name lie on a host, not here: an own copy of the units names ones that exist.
    const names = readdirSync(UNITS).filter((name) => /\.(service|timer)$/.test(name));
    for (const name of names) writeFileSync(join(folder, name), readFileSync(join(UNITS, name), 'utf8').replaceAll(/ExecStart=\S+/g, 'ExecStart=/bin/true'));
    const said = execFileSync('sh', ['-c', 'systemd-analyze verify --man=no "$@" 2>&1 || true', 'sh', ...names.map((name) => join(folder, name))], { encoding: 'utf8', cwd: folder });
    expect(said.split('\n').filter((line) => line.includes('vessel-'))).toEqual([]);
  });
});
