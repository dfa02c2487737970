import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation, OperationEvent, Step } from '#shared/operation.ts';
import { runVessel } from './run.ts';
import { startFakeVessel, type FakeVessel, type SomeHandlers } from './testing/fake-vessel.ts';
import { runIn, someProject, testTerminal } from './testing/test-runtime.ts';

let home = '';
let vessel: FakeVessel | null = null;
beforeEach(() => { home = mkdtempSync(join(tmpdir(), 'vessel-cli-')); });
afterEach(async () => {
  await vessel?.close();
  vessel = null;
  rmSync(home, { recursive: true, force: true });
});
const serve = async (some: SomeHandlers): Promise<void> => { vessel = await startFakeVessel(home, some); };

const projects = [someProject('demo-k3f9', 'demo'), someProject('closed-a2b3', 'closed', { environment: null }), someProject('shop-x1y2', 'Shop'), someProject('shop-z9z9', 'Shop')];
const entry = { url: 'http://demo-k3f9.localhost:1/?t=x', origin: 'http://demo-k3f9.localhost:1', opened: false };
const listing = { 'projects.list': async () => ({ projects }), 'environments.url': async () => entry };
const openResult = { id: 'demo-k3f9', origin: 'http://demo-k3f9.localhost:1', state: 'running', startKind: 'clone', timings: [{ stage: 'clone', ms: 90 }], totalMs: 412 };
const step = (id: string, state: Step['state'], progress = 0): Step => ({ id, title: `Step ${id}`, weight: 1, state, progress, detail: '', startedAt: 1, endedAt: state === 'done' ? 250 : null });
const operation = (change: Partial<Operation>): Operation => ({
  id: 'op-1', kind: 'open', title: 'Open demo', projectId: 'demo-k3f9', hostId: 'local', state: 'running', steps: [step('a', 'done', 1), step('b', 'running', 0.5)],
  progress: 0.75, cancellable: true, startedAt: 1, endedAt: null, lastSeq: 0, result: null, error: null, ...change,
});
const line = (seq: number, text: string, level: LogLine['level'] = 'info'): OperationEvent => ({ kind: 'log', line: { seq, at: 1, stepId: null, level, text } });
const shown = (change: Partial<Operation>): OperationEvent => ({ kind: 'operation', operation: operation(change) });
const succeeded: Partial<Operation> = { state: 'succeeded', progress: 1, steps: [step('a', 'done', 1), step('b', 'done', 1)], result: openResult };

describe('usage', () => {
  it('prints help and version with code 0 and asks nothing of Vessel', async () => {
    expect(await runIn(home, '--version')).toMatchObject({ code: 0, out: '0.0.0-test\n' });
    for (const line of [['--help'], ['help'], ['help', 'project', 'export'], ['exec', '--help']]) {
      const ran = await runIn(home, ...line);
      expect(ran.code, line.join(' ')).toBe(0);
      expect(ran.out).toContain('Usage: vessel');
      expect(ran.err).toBe('');
    }
  });

  it('suggests the nearest command, ends with 2, and says where help is', async () => {
    const ran = await runIn(home, 'opne', 'demo');
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toContain('Did you mean open?');
    expect((await runIn(home, 'project', 'create')).err).toContain('vessel project create --help');
  });

  it('puts usage errors on stdout as one object with --json', async () => {
    for (const line of [['--json', 'opne'], ['project', '--json'], ['project', 'create', 'x', '--template', 'cobol', '--json'], ['url', 'x', '--port', '70000', '--json'], ['discard', '--json']]) {
      const ran = await runIn(home, ...line);
      expect(ran.code, line.join(' ')).toBe(2);
      expect(ran.json).toMatchObject({ error: { code: 'BAD_REQUEST', retryable: false } });
      expect(ran.err).toBe('');
    }
  });
});

describe('projects', () => {
  it('are listed for people and for programs', async () => {
    await serve({ calls: listing });
    expect((await runIn(home, 'project', 'list')).out).toMatch(/ID +NAME +STATE[\s\S]*demo-k3f9 +demo +open +node +1\.2 MB +\d+ days ago \(rev 3, 128 files\)/);
    expect((await runIn(home, 'project', 'list', '--json')).json).toEqual({ projects });
  });

  it('are listed with how they stand in the cloud, and their history with its branches', async () => {
    const sync = { store: 'supabase', state: 'synced', pending: 0, conflict: null, lease: null, error: null } as const;
    const two = someProject('two-k3f9', 'two', { sync: { ...sync, conflict: { ours: 2, theirs: 3, branch: 'laptop, 2026-01-01 10:00', at: 1 } } });
    if (two.head === null) throw new Error('the sample has no head');
    const revisions = [two.head, { ...two.head, rev: 2, branch: 'laptop, 2026-01-01 10:00' }];
    await serve({ calls: { 'projects.list': async () => ({ projects: [someProject('one-k3f9', 'one', { sync }), two, someProject('three-k3f9', 'three')] }), 'history.list': async () => ({ revisions, totalBytes: 0 }) } });
    const list = (await runIn(home, 'project', 'list')).out;
    expect(list).toMatch(/CLOUD[^]*one-k3f9 .*synced[^]*two-k3f9 .*saved on two computers[^]*three-k3f9 .* - /);
    expect((await runIn(home, 'project', 'history', 'two')).out).toContain('branch "laptop, 2026-01-01 10:00"');
  });

  it('end with 4 and the candidates when the name is ambiguous, with 3 when there is none', async () => {
    await serve({ calls: listing });
    const ambiguous = await runIn(home, 'open', 'Shop', '--json');
    expect(ambiguous.code).toBe(4);
    expect(ambiguous.json).toMatchObject({ error: { code: 'CONFLICT', details: { candidates: [{ id: 'shop-x1y2' }, { id: 'shop-z9z9' }] } } });
    expect(await runIn(home, 'close', 'dmo')).toMatchObject({ code: 3, out: '', err: expect.stringContaining('Did you mean "demo"') as string });
  });

  it('refuse what needs an open environment, naming the fix', async () => {
    await serve({ calls: listing });
    for (const line of [['exec', 'closed', 'ls'], ['save', 'closed'], ['url', 'closed'], ['shell', 'closed'], ['ports', 'closed']]) {
      const ran = await runIn(home, ...line);
      expect(ran.code, line[0]).toBe(4);
      expect(ran.err).toContain('vessel open closed-a2b3');
    }
  });

  it('send paths made absolute, because Vessel works in another folder', async () => {
    const seen: unknown[] = [];
    await serve({ calls: { ...listing, 'history.export': async (input) => { seen.push(input); return { path: input.path, rev: 3, bytes: 5, sha256: 'x' }; } } });
    expect((await runIn(home, 'project', 'export', 'demo', '-o', 'a.zip', '--json')).json).toMatchObject({ id: 'demo-k3f9', rev: 3 });
    expect(seen).toEqual([{ projectId: 'demo-k3f9', path: join(home, 'a.zip'), rev: 3 }]);
    writeFileSync(join(home, 'a.zip'), 'precious');
    expect(await runIn(home, 'project', 'export', 'demo', '-o', 'a.zip')).toMatchObject({ code: 4, err: expect.stringContaining('--force') as string });
    expect(await runIn(home, 'project', 'import', 'no-such.zip')).toMatchObject({ code: 3 });
  });

  it('are searched, and nothing found ends with 1', async () => {
    const items = [{ kind: 'line', path: 'src/a.ts', line: 3, column: 1, text: 'let apple = 1', start: 4, length: 5 }, { kind: 'end', hits: 1, files: 9, skippedBinary: 0, skippedLarge: 2, limited: false }] as const;
    await serve({ calls: listing, streams: { 'archive.search': async function* search({ query }) { yield* query === 'apple' ? items : [{ ...items[1], hits: 0 }]; } } });
    expect(await runIn(home, 'project', 'search', 'demo', 'apple')).toMatchObject({ code: 0, out: expect.stringContaining('src/a.ts:3: let apple = 1') as string });
    const none = await runIn(home, 'project', 'search', 'demo', 'pear', '--json');
    expect(none.code).toBe(1);
    expect(none.json).toMatchObject({ hits: [], end: { skippedLarge: 2 } });
  });

  it('show what changed between the last two revisions unless told otherwise', async () => {
    const seen: unknown[] = [];
    const head = someProject('demo-k3f9', 'demo').head;
    if (head === null) throw new Error('the sample has no head');
    await serve({ calls: { ...listing,
      'history.list': async () => ({ revisions: [head, { ...head, rev: 1 }], totalBytes: 0 }),
      'history.diff': async ({ from, to }) => { seen.push([from, to]); return { from, to, counts: { added: 1, removed: 0, changed: 0, mode: 0 }, changes: [{ path: 'new.txt', change: 'added', kind: 'file', before: null, after: { size: 1, mode: 420, kind: 'file' } }], more: false }; },
    } });
    expect((await runIn(home, 'project', 'diff', 'demo')).out).toContain('+ new.txt');
    expect(seen).toEqual([[1, 3]]);
  });

  it('are checked, and what cannot be restored ends with 1', async () => {
    const report = { projects: 1, revisions: 2, archives: 2, bytes: 10, ms: 5, findings: [{ projectId: 'demo-k3f9', revs: [2], sha256: 'a', problem: 'damaged', outcome: 'lost', text: 'no other copy' }], sound: false };
    await serve({ calls: { 'store.check': async () => ({ operationId: 'op-1' }) }, streams: { 'operations.watch': async function* watch() { yield shown({ ...succeeded, kind: 'fsck', result: report }); } } });
    const ran = await runIn(home, 'fsck', '--json');
    expect(ran.code).toBe(1);
    expect(ran.json).toMatchObject({ sound: false, findings: [{ outcome: 'lost' }] });
    expect((await runIn(home, 'fsck')).out).toContain('NOT SOUND');
  });

  it('ask before something is lost', async () => {
    await serve({ calls: listing });
    expect(await runIn(home, 'discard', 'demo')).toMatchObject({ code: 2, err: expect.stringContaining('--yes') as string });
    expect(await runIn(home, 'host', 'unprovision')).toMatchObject({ code: 2, err: expect.stringContaining('--yes') as string });
  });
});

describe('an operation', () => {
  const opening = { ...listing, 'environments.open': async () => ({ operationId: 'op-1' }) };

  it('is shown as step lines off a terminal, and its result is all of stdout', async () => {
    await serve({ calls: opening, streams: { 'operations.watch': async function* () { yield shown({}); yield line(1, 'template is stale', 'warn'); yield line(2, 'chatter'); yield shown(succeeded); } } });
    const ran = await runIn(home, 'open', 'demo');
    expect(ran).toMatchObject({ code: 0, out: `${entry.url}\n` });
    expect(ran.err).toContain('ok    Step a 249 ms\n');
    expect(ran.err).toContain('template is stale');
    expect(ran.err).not.toContain('chatter');
    const json = await runIn(home, 'open', 'demo', '--json');
    expect(json.json).toEqual({ ...openResult, url: entry.url, operationId: 'op-1' });
    expect(json.err).toBe('');
  });

  it('draws a bar on a terminal and leaves a clean line', async () => {
    await serve({ calls: opening, streams: { 'operations.watch': async function* () { yield shown({}); await sleep(100); yield shown(succeeded); } } });
    const terminal = testTerminal(home, { tty: true, env: { TERM: 'xterm' } });
    expect(await runVessel(['open', 'demo'], terminal.runtime)).toBe(0);
    expect(terminal.err()).toMatch(/█{15}.*░{5}.* 75 %/);
    expect(terminal.err()).toContain('\r\u001b[K');
    expect(terminal.out()).toBe(`${entry.url}\n`);
  });

  it('that fails ends with the code of its error, the log tail and the operation', async () => {
    const error = new VesselError('HOST_NOT_READY', 'no image', { logTail: ['last words'] }).toShape();
    await serve({ calls: opening, streams: { 'operations.watch': async function* () { yield shown({ state: 'failed', error }); } } });
    const ran = await runIn(home, 'open', 'demo');
    expect(ran).toMatchObject({ code: 5, out: '' });
    expect(ran.err).toMatch(/no image.*HOST_NOT_READY[\s\S]*last words[\s\S]*fix {2}Provision the host/);
    expect((await runIn(home, 'open', 'demo', '--json')).json).toMatchObject({ error: { code: 'HOST_NOT_READY', hint: expect.stringContaining('Provision') as string, logTail: ['last words'], details: { operationId: 'op-1' } } });
  });

  it('is followed across a lost connection, without a line twice', async () => {
    const asked: number[] = [];
    await serve({
      calls: opening,
      streams: {
        'operations.watch': async function* ({ afterSeq }) {
          asked.push(afterSeq);
          yield shown({});
          if (asked.length === 1) {
            yield line(1, 'one', 'warn');
            setTimeout(() => vessel?.dropConnections(), 30);
            await sleep(5_000);
          }
          yield line(1, 'one', 'warn');
          yield line(2, 'two', 'warn');
          yield shown(succeeded);
        },
      },
    });
    const ran = await runIn(home, 'open', 'demo');
    expect(ran.code).toBe(0);
    expect(asked).toEqual([0, 1]);
    expect(ran.err).toMatch(/^ok +Step a.*\n  one\n  two\nok +Step b.*\nopen .*\n$/);
  });

  it('is cancelled by Ctrl-C, and the command ends with 6 when it has ended', async () => {
    const cancelled = Promise.withResolvers<void>();
    const watched = Promise.withResolvers<void>();
    await serve({
      calls: { ...opening, 'operations.cancel': async () => { cancelled.resolve(); return operation({}); } },
      streams: { 'operations.watch': async function* () { yield shown({}); watched.resolve(); await cancelled.promise; await sleep(30); yield shown({ state: 'cancelled' }); } },
    });
    const terminal = testTerminal(home);
    const ended = runVessel(['open', 'demo', '--json'], terminal.runtime);
    await watched.promise;
    await sleep(150);
    terminal.signal('SIGINT');
    expect(await ended).toBe(6);
    expect(JSON.parse(terminal.out())).toMatchObject({ error: { code: 'CANCELLED', details: { operationId: 'op-1' } } });
  });

  it('that cannot be cancelled goes on when the command leaves', async () => {
    const watched = Promise.withResolvers<void>();
    await serve({
      calls: { ...opening, 'operations.cancel': async () => { throw new VesselError('ILLEGAL_TRANSITION', 'too late'); } },
      streams: { 'operations.watch': async function* () { yield shown({ cancellable: false }); watched.resolve(); await sleep(5_000); } },
    });
    const terminal = testTerminal(home);
    const ended = runVessel(['open', 'demo'], terminal.runtime);
    await watched.promise;
    await sleep(150);
    terminal.signal('SIGINT');
    expect(await ended).toBe(130);
    expect(terminal.err()).toContain('vessel logs -f op-1');
  });

  it('says what Save & Exit stopped, and passes on that nothing may be stopped', async () => {
    const seen: unknown[] = [];
    const revision = { projectId: 'demo-k3f9', rev: 3, parentRev: 2, sha256: 'ab', bytes: 10, files: 1, contentBytes: 5, reason: 'exit', createdAt: 1, verifiedAt: 1, leftOut: [] };
    const stopped = [{ pid: 12, command: 'node server.js', wrote: [], how: 'ended' }, { pid: 13, command: 'sh', wrote: ['log.txt'], how: 'held' }];
    const result = { archive: { rev: 3, sha256: 'ab', bytes: 10, files: 1, verifiedAt: 1 }, revision, changed: true, stopped };
    await serve({
      calls: { ...listing, 'environments.close': async (input) => { seen.push(input); return { operationId: 'op-1' }; } },
      streams: { 'operations.watch': async function* () { yield shown({ kind: 'close', state: 'succeeded', progress: 1, result }); } },
    });
    expect(await runIn(home, 'close', 'demo')).toMatchObject({ code: 0, out: expect.stringContaining('stopped   node server.js (pid 12), sh (pid 13; did not end when asked; wrote log.txt)') as string });
    expect((await runIn(home, 'close', 'demo', '--keep-running', '--json')).json).toMatchObject({ stopped });
    expect(seen).toEqual([{ projectId: 'demo-k3f9', keepRunning: false }, { projectId: 'demo-k3f9', keepRunning: true }]);
  });

  it('can be left at once with --detach, and joined when another caller has started it', async () => {
    await serve({
      calls: {
        ...listing,
        'environments.close': async () => ({ operationId: 'op-7' }),
        'environments.open': async () => { throw new VesselError('BUSY'); },
        'projects.get': async () => ({ ...projects[0]!, activeOperationId: 'op-1' }),
        'operations.get': async () => operation({}),
      },
      streams: { 'operations.watch': async function* () { yield shown(succeeded); } },
    });
    expect(await runIn(home, 'close', 'demo', '--detach')).toMatchObject({ code: 0, out: 'op-7\n' });
    expect((await runIn(home, 'open', 'demo', '--json')).json).toMatchObject({ url: entry.url, operationId: 'op-1' });
  });
});

describe('the rest', () => {
  it('shows logs of an operation by the beginning of its id, and follows them to the end', async () => {
    await serve({
      calls: { ...listing, 'operations.list': async () => ({ operations: [operation({ id: 'op-abc' }), operation({ id: 'op-xyz' })] }), 'operations.log': async () => ({ lines: [{ seq: 1, at: 1, stepId: null, level: 'info', text: 'first' }] }) },
      streams: { 'operations.watch': async function* () { yield line(2, 'second'); yield shown({ id: 'op-abc', ...succeeded }); } },
    });
    expect((await runIn(home, 'logs', 'op-a')).out).toMatch(/first\n$/);
    expect((await runIn(home, 'logs', 'op-a', '-f')).out).toMatch(/first\n.*second\n$/);
    expect((await runIn(home, 'logs', 'op-a', '-f', '--json')).json).toMatchObject({ state: 'succeeded', lines: [{ text: 'first' }, { text: 'second' }] });
    expect(await runIn(home, 'logs', 'op-')).toMatchObject({ code: 4 });
  });

  it('tells an unhealthy host and a damaged revision by the exit code', async () => {
    await serve({
      calls: {
        ...listing, 'hosts.doctor': async () => ({ healthy: false, checks: [{ stage: 'kvm', state: 'fail', evidence: 'no /dev/kvm', fix: 'enable it', ms: 3 }] }),
        'history.verify': async () => ({ ok: false, verifiedAt: 1, sha256: 'ab' }),
      },
    });
    expect(await runIn(home, 'host', 'doctor')).toMatchObject({ code: 5, out: expect.stringMatching(/fail {2}kvm: no \/dev\/kvm 3 ms\n +fix {2}enable it\nnot healthy/) as string });
    expect(await runIn(home, 'project', 'verify', 'demo')).toMatchObject({ code: 1, out: expect.stringContaining('DAMAGED') as string });
  });

  it('changes only the settings that were given', async () => {
    const seen: unknown[] = [];
    await serve({ calls: { ...listing, 'projects.update': async (input) => { seen.push(input); return projects[0]!; } } });
    expect(await runIn(home, 'project', 'settings', 'demo')).toMatchObject({ code: 0, out: expect.stringContaining('every 5 min') as string });
    await runIn(home, 'project', 'settings', 'demo', '--idle', '0', '--rule', '*.log', '--rule', '!keep.log');
    expect(seen).toEqual([{ projectId: 'demo-k3f9', settings: { idleMinutes: 0, exclude: { preset: 'safe', rules: ['*.log', '!keep.log'] } } }]);
  });

  it('prints templates and completion scripts without a Vessel', async () => {
    expect((await runIn(home, 'templates', '--no-start')).out).toContain('react-vite');
    expect((await runIn(home, 'completion', 'bash')).out).toContain("'project export') words='--rev --output --force --version --json");
  });
});
