import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => { world = await makeWorld(); });
afterEach(async () => { await world.dispose(); });
const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('opening', () => {
  it('is one operation for two clicks, and at once for what is open', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    const first = world.environments.open(project.id);
    expect(world.environments.open(project.id).operationId).toBe(first.operationId);
    expect(await first.done).toMatchObject({ state: 'succeeded', result: { id: project.id, startKind: 'clone', state: 'running' } });
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'succeeded' });
    expect(world.host.calls.filter((call) => call.startsWith('start'))).toHaveLength(1);
    expect(world.environments.routes.resolve(project.id).kind).toBe('running');
  });

  it('does not need the answer of the host that it asks beside, also when Vessel is closing', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    // A rejection that nobody takes would end Vessel, and this run.
    world.host.before = (method) => (method === 'facts' ? Promise.reject(new VesselError('INTERRUPTED', 'Vessel is closing')) : Promise.resolve());
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'succeeded' });
    expect(world.host.calls).toContain('facts');
  });

  it('says that it stands still for want of space, and that it goes on', async () => {
    const { id } = await world.opened();
    world.host.hold(id, 'it stands still because its host\'s disk is full');
    expect(world.state(id)).toMatchObject({ state: 'running', code: 'DISK_FULL' });
    await world.environments.watch();
    await world.environments.watch();
    expect(world.state(id)).toMatchObject({ state: 'running', code: 'DISK_FULL' });
    world.host.hold(id, null);
    expect(world.state(id)).toMatchObject({ state: 'running', code: undefined });
    const kinds = world.context.store.events.list({ limit: 100 }).map(({ kind }) => kind);
    expect(kinds.filter((kind) => /stands-still|goes-on/.test(kind))).toEqual(['environment.goes-on', 'environment.stands-still']);
  });

  it('says early, and once, that a host runs out of space', async () => {
    await world.opened();
    const events = (): readonly string[] => world.context.store.events.list({ limit: 100 }).filter(({ kind }) => kind.startsWith('host.disk')).map(({ kind, text }) => `${kind}: ${text}`);
    await world.environments.watch();
    world.host.disk = { freeBytes: 700_000_000, totalBytes: 2_400_000_000, reserveBytes: 268_000_000, state: 'low' };
    for (let round = 0; round < 3; round += 1) await world.environments.watch();
    expect(events()).toEqual([expect.stringContaining('host.disk-low: This computer has only 700 MB left') as string]);
    world.host.disk = { ...world.host.disk, state: 'ok' };
    await world.environments.watch();
    expect(events()[0]).toContain('host.disk-ok');
  });

  it('keeps no ticket: the way in is asked for when it is needed', async () => {
    const project = await world.opened();
    await world.environments.open(project.id).done;
    const kept = JSON.stringify(world.context.operations.list({ limit: 100 }));
    expect(kept).toContain(`http://${project.id}.localhost:1`);
    expect(kept).not.toContain('/?t');
  });

  it('leaves nothing when the host fails, says why, and works at the next try', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    world.host.before = async (method) => { if (method === 'start') throw new VesselError('VM_START_FAILED', 'no luck'); };
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'failed', error: { code: 'VM_START_FAILED' } });
    expect(world.state(project.id)).toMatchObject({ state: 'destroyed', code: 'VM_START_FAILED' });
    world.host.before = () => Promise.resolve();
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'succeeded' });
    expect(world.state(project.id)).toEqual({ state: 'running', code: undefined, head: 1 });
  });

  it('leaves nothing when it is cancelled in the middle', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    let id = '';
    world.host.before = async (method) => { if (method === 'start') { world.context.operations.cancel(id); } };
    const { operationId, done } = world.environments.open(project.id);
    id = operationId;
    expect(await done).toMatchObject({ state: 'cancelled' });
    expect(world.host.vms.size).toBe(0);
    expect(world.state(project.id)).toEqual({ state: 'destroyed', code: undefined, head: 1 });
  });

  it.each(['damaged', 'missing'])('does not fill a workspace from a %s archive, and removes the VM', async (how) => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    const path = world.cold.localPath(project.id, project.head?.sha256 ?? '') ?? '';
    if (how === 'missing') await rm(path);
    else { const bytes = await readFile(path); bytes[40] = (bytes[40] ?? 0) ^ 1; await writeFile(path, bytes); }
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_CORRUPT' } });
    expect(world.host.vms.size).toBe(0);
    expect(world.guest(project.id).hydrated).toBeNull();
  });

  it('withholds the end of an archive from a remote store until its hash is right', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    const original = world.cold.open.bind(world.cold);
    Object.assign(world.cold, {
      localPath: () => null,
      open: async (...args: Parameters<typeof original>) => (await original(...args)).map((chunk: Buffer) => { const harmed = Buffer.from(chunk); harmed[40] = (harmed[40] ?? 0) ^ 1; return harmed; }),
    });
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_CORRUPT' } });
    expect(world.host.vms.size).toBe(0);
    expect(world.guest(project.id).hydrated).toBeNull();
  });

  it('clears the remains of a dead VM, but never a living one', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    world.host.run(project.id, { state: 'running' });
    expect(await world.environments.open(project.id).done).toMatchObject({ error: { code: 'VM_EXISTS' } });
    expect(world.host.vms.has(project.id)).toBe(true);
    world.host.run(project.id, { state: 'broken', problem: 'hypervisor is gone' });
    expect(await world.environments.open(project.id).done).toMatchObject({ state: 'succeeded' });
  });
});

describe('saving', () => {
  it('keeps the head when nothing changed', async () => {
    const { id } = await world.opened();
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: false, archive: { rev: 1 } });
    expect(world.guest(id).saves).toBe(0);
  });

  it('makes a verified revision of what changed, and then knows that it is safe', async () => {
    const { id } = await world.opened();
    world.guest(id).write('new.txt', 'hello');
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: true, archive: { rev: 2, files: 1 }, revision: { parentRev: 1, reason: 'save' } });
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: false });
    expect(await world.history.verify(id, undefined)).toMatchObject({ ok: true });
  });

  it('says of a closed environment that it is closed, and what to do', async () => {
    const { id } = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    for (const call of [() => world.environments.close(id), () => world.environments.save(id)]) expect(call).toThrow(expect.objectContaining({ code: 'ILLEGAL_TRANSITION', message: 'The environment is already closed', hint: expect.stringContaining('Open it') as string }));
  });

  it('keeps the head when only the counter moved', async () => {
    const { id } = await world.opened();
    world.guest(id).write('new.txt', 'hello');
    await world.environments.save(id).done;
    world.guest(id).counter += 1;
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: false, archive: { rev: 2 } });
    expect(world.history.list(id).revisions).toHaveLength(2);
  });

  it('stays dirty when files change while it reads', async () => {
    const { id } = await world.opened();
    const guest = world.guest(id);
    guest.write('new.txt', 'one');
    guest.onRead = () => { guest.onRead = () => undefined; guest.write('new.txt', 'two'); };
    await world.environments.save(id).done;
    expect(world.projects.get(id).environment?.dirty).toBe(true);
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: true, archive: { rev: 3 } });
  });

  it('is SAVE_NOT_VERIFIED when the archive reads back otherwise, and moves nothing', async () => {
    const { id } = await world.opened();
    world.guest(id).write('new.txt', 'hello');
    Object.assign(world.cold, { readBack: async () => ({ sha256: 'f'.repeat(64), bytes: 1 }) });
    expect(await world.environments.save(id).done).toMatchObject({ error: { code: 'SAVE_NOT_VERIFIED' } });
    expect(world.state(id)).toEqual({ state: 'running', code: 'SAVE_NOT_VERIFIED', head: 1 });
  });

  it('keeps both when the head moved meanwhile', async () => {
    const { id } = await world.opened();
    world.guest(id).write('new.txt', 'mine');
    const record = world.context.store.environments.get(id);
    if (record === null) throw new Error('no record');
    world.context.store.revisions.append({ ...world.history.revision(id, 1), reason: 'restore' }, 1);
    world.context.store.environments.put(record);
    expect(await world.environments.save(id).done).toMatchObject({ error: { code: 'SAVE_CONFLICT', details: { kept: 3, head: 2 } } });
    expect(world.history.list(id).revisions.map(({ rev }) => rev)).toEqual([3, 2, 1]);
    expect(world.state(id).head).toBe(2);
  });

  it('prunes as the settings say, never the base of what is open', async () => {
    const settings = world.context.store.settings.get();
    world.context.store.settings.put({ ...settings, retention: { keepRevisions: 2, keepDays: 90 } });
    const { id } = await world.opened();
    for (const text of ['one', 'two', 'three']) { world.guest(id).write('f', text); await world.environments.save(id).done; }
    expect(world.history.list(id).revisions.map(({ rev }) => rev)).toEqual([4, 3]);
    expect(await world.cold.list(id)).toHaveLength(2);
  });

  it('is refused when nothing runs', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    expect(() => world.environments.save(project.id)).toThrow(code('ILLEGAL_TRANSITION'));
  });
});

describe('Save & Exit', () => {
  it('saves, then ends the VM', async () => {
    const { id } = await world.opened();
    world.guest(id).write('new.txt', 'hello');
    world.host.before = async (method) => { if (method === 'stop') expect(world.state(id)).toMatchObject({ state: 'destroying', head: 2 }); };
    expect((await world.environments.close(id).done).result).toMatchObject({ changed: true, archive: { rev: 2 } });
    expect(world.host.vms.size).toBe(0);
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 2 });
    expect(world.environments.routes.resolve(id)).toEqual({ kind: 'not-running', name: 'A', ideStaticDir: null });
  });

  it('keeps the VM and opens the way in again when the save fails', async () => {
    const { id } = await world.opened();
    world.guest(id).write('new.txt', 'hello');
    const put = world.cold.put;
    Object.assign(world.cold, { put: async (_id: string, content: { destroy: () => void }) => { content.destroy(); throw new VesselError('DISK_FULL'); } });
    expect(await world.environments.close(id).done).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } });
    expect(world.host.vms.has(id)).toBe(true);
    expect(world.state(id)).toEqual({ state: 'running', code: 'DISK_FULL', head: 1 });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
    Object.assign(world.cold, { put });
    expect((await world.environments.close(id).done).state).toBe('succeeded');
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 2 });
  });

  it('saves once more when something changed between the save and the end', async () => {
    const { id } = await world.opened();
    const guest = world.guest(id);
    guest.write('f', 'one');
    guest.onRead = () => { guest.onRead = () => undefined; guest.write('f', 'two'); };
    const operation = await world.environments.close(id).done;
    expect(operation.result).toMatchObject({ archive: { rev: 3 }, changed: true });
    expect(guest.saves).toBe(2);
  });

  it('gives up rather than lose changes when something writes without pause', async () => {
    const { id } = await world.opened();
    const guest = world.guest(id);
    // Where it cannot be held still.
    guest.hold = null;
    guest.write('f', '0');
    guest.onRead = () => guest.write('f', String(guest.counter));
    expect(await world.environments.close(id).done).toMatchObject({ state: 'failed', error: { code: 'CONFLICT' } });
    expect(world.host.vms.has(id)).toBe(true);
    expect(world.environments.routes.resolve(id).kind).toBe('running');
  });

  it('waits for a save that is under way instead of being refused', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    const saving = world.environments.save(id);
    expect((await world.environments.close(id).done).state).toBe('succeeded');
    expect((await saving.done).state).toBe('succeeded');
    expect(world.guest(id).saves).toBe(1);
  });

  it('fails with the guest’s death, and the project says what is safe', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    world.guest(id).onRead = () => { world.host.die(id); throw new VesselError('GUEST_UNREACHABLE'); };
    expect((await world.environments.close(id).done).state).toBe('failed');
    expect(world.state(id)).toEqual({ state: 'error', code: 'VM_DIED', head: 1 });
  });

  it('keeps what was read whole before the guest died, and still says that it died', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    world.guest(id).onRead = () => world.host.die(id);
    expect((await world.environments.save(id).done).state).toBe('succeeded');
    expect(world.state(id)).toEqual({ state: 'error', code: 'VM_DIED', head: 2 });
    expect(world.projects.get(id).environment?.error?.message).toMatch(/Revision 2, verified .* is safe\.$/);
  });

  it('discards only when the project id is repeated', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    expect(() => world.environments.discard(id, 'yes')).toThrow(code('BAD_REQUEST'));
    expect((await world.environments.discard(id, id).done).state).toBe('succeeded');
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 1 });
  });
});

describe('the watch', () => {
  it('saves by itself when files changed and the time has come, not before', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    world.clock.now += 4 * 60_000;
    await world.environments.watch();
    expect(world.state(id).head).toBe(1);
    expect(world.projects.get(id).environment?.dirty).toBe(true);
    world.clock.now += 61_000;
    await world.environments.watch();
    expect(world.history.revision(id, null)).toMatchObject({ rev: 2, reason: 'autosave' });
    expect(world.projects.get(id).environment?.dirty).toBe(false);
  });

  it('saves and ends what is idle', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    world.clock.now += 31 * 60_000;
    await world.environments.watch();
    expect(world.state(id)).toEqual({ state: 'destroyed', code: undefined, head: 2 });
    expect(world.history.revision(id, null).reason).toBe('idle');
  });

  it('keeps an idle environment whose save fails, says so, and does not try again at once', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    Object.assign(world.cold, { put: async (_id: string, content: { destroy: () => void }) => { content.destroy(); throw new VesselError('DISK_FULL'); } });
    world.clock.now += 31 * 60_000;
    await world.environments.watch();
    expect(world.state(id)).toMatchObject({ state: 'running', code: 'DISK_FULL' });
    expect(world.context.store.events.list({ projectId: id, limit: 50 }).map(({ kind }) => kind)).toContain('environment.idle-kept');
    const closes = (): number => world.context.operations.list({ projectId: id, limit: 50 }).filter(({ kind }) => kind === 'close').length;
    await world.environments.watch();
    expect(closes()).toBe(1);
  });

  it('counts what the gateway sees as activity', async () => {
    const { id } = await world.opened();
    world.clock.now += 20 * 60_000;
    world.environments.routes.noteActivity(id, 'ide');
    world.clock.now += 20 * 60_000;
    await world.environments.watch();
    expect(world.state(id).state).toBe('running');
  });

  it('notices a VM that ended without a word', async () => {
    const { id } = await world.opened();
    world.host.vms.delete(id);
    await world.environments.watch();
    expect(world.state(id)).toMatchObject({ state: 'error', code: 'VM_DIED' });
    expect((await world.environments.open(id).done).state).toBe('succeeded');
  });
});

describe('a Vessel that starts again', () => {
  it('takes running environments back without being asked, and knows their base', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'one');
    await world.environments.save(id).done;
    world = await world.reborn();
    await world.environments.ensureReconciled('local');
    expect(world.state(id)).toEqual({ state: 'running', code: undefined, head: 2 });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
    expect((await world.environments.save(id).done).result).toMatchObject({ changed: false });
    world.guest(id).write('f', 'two');
    expect((await world.environments.close(id).done).result).toMatchObject({ archive: { rev: 3 } });
  });

  it.each([
    ['running', 'error', 'VM_DIED'], ['stopping', 'error', 'VM_DIED'], ['starting', 'error', 'INTERRUPTED'], ['destroying', 'destroyed', undefined],
  ] as const)('makes of a %s environment without a VM: %s', async (before, after, error) => {
    const { id } = await world.opened();
    const record = world.context.store.environments.get(id);
    if (record === null) throw new Error('no record');
    world.context.store.environments.put({ ...record, state: before });
    world.host.vms.clear();
    world = await world.reborn();
    await world.environments.ensureReconciled('local');
    expect(world.state(id)).toMatchObject({ state: after, code: error });
  });

  it.each([
    ['running', 'running', true], ['stopping', 'running', true], ['starting', 'error', false], ['destroying', 'destroyed', false], ['error', 'running', true],
  ] as const)('makes of a %s environment whose VM lives: %s', async (before, after, kept) => {
    const { id } = await world.opened();
    const record = world.context.store.environments.get(id);
    if (record === null) throw new Error('no record');
    world.context.store.environments.put({ ...record, state: before });
    world = await world.reborn();
    await world.environments.ensureReconciled('local');
    expect(world.state(id).state).toBe(after);
    expect(world.host.vms.has(id)).toBe(kept);
  });

  it('offers a VM it does not know for rescue and never stops it by itself', async () => {
    const project = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
    world.host.run(project.id).write('f', 'unsaved');
    world.host.run('stranger-abcd').write('g', 'also unsaved');
    await world.environments.ensureReconciled('local');
    expect(world.context.feed.orphans.map(({ vmId, knownProject }) => [vmId, knownProject])).toEqual([[project.id, true], ['stranger-abcd', false]]);
    expect((await world.environments.rescue('local', project.id).done).result).toMatchObject({ archive: { rev: 2 }, revision: { reason: 'rescue' } });
    expect((await world.environments.rescue('local', 'stranger-abcd').done).result).toMatchObject({ archive: { rev: 1, files: 1 } });
    expect(world.host.vms.size).toBe(0);
    expect(world.context.feed.orphans).toEqual([]);
    expect(world.projects.get('stranger-abcd').head?.rev).toBe(1);
  });

  it('lets one broken environment not keep the others from being adopted', async () => {
    const broken = await world.opened();
    const { id } = await world.opened();
    world.guest(broken.id).silent = true;
    world = await world.reborn();
    await world.environments.ensureReconciled('local');
    expect(world.state(broken.id)).toMatchObject({ state: 'running', code: 'GUEST_UNREACHABLE' });
    expect(world.environments.routes.resolve(id).kind).toBe('running');
  });
});
