import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../../build/testing/describe-unless.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import { IDE_ROOT, NODE_PATH } from '../../../images/recipe/guest-layout.ts';
import { execInGuest } from '../exec.test-helper.ts';
import { cannotRunMachines, quietContext, realHost, type RealHost } from '../../real-host.test-helper.ts';
import { IdeConnection } from './connection.ts';
import { encodeValue, ValueReader } from './wire-values.ts';

const AUTHORITY = 'kept-lists.vessel.localhost:8080';
const DATA = '/home/vessel/.local/share/code-server';
/** Named, the default profile is answered by VS Code itself; not named, by the list that is kept. */
const DEFAULT_PROFILE = { $mid: 1, scheme: 'vscode-remote', authority: AUTHORITY, path: `${DATA}/extensions/extensions.json` };

type Extension = { readonly identifier: { readonly id: string; readonly uuid?: string }; readonly location: { readonly authority: string } };

describeUnless(cannotRunMachines(), 'the lists of extensions that VS Code\'s changed server keeps', () => {
  let real: RealHost;
  let vm: Vm;
  let commit: string;
  const signal = AbortSignal.timeout(20 * 60_000);

  beforeAll(async () => {
    real = await realHost();
    await real.host.provision({ dryRun: false, tiers: ['medium'] }, quietContext());
    ({ vm } = await real.host.start({ id: 'kept-lists', tier: 'medium', mode: 'clone', timezone: 'UTC', env: {}, deadlineMs: 120_000 }, quietContext()));
    const answer = await fetch(`http://${vm.address?.host}:${vm.address?.port}${GUEST_API_PREFIX}/health`, { headers: { authorization: `Bearer ${vm.token}` } });
    commit = (await answer.json() as { readonly ide: { readonly commit: string } }).ide.commit;
  }, 20 * 60_000);
  afterAll(() => real.dispose());

  /** One question on a connection of its own, as a workbench asks it; its answer. */
  async function ask(channel: string, name: string, given: readonly unknown[]): Promise<readonly Extension[]> {
    if (vm.address === null) throw new Error('the VM has no address');
    const connection = await IdeConnection.open({ address: vm.address, token: vm.token ?? '', commit }, { kind: 'management' }, signal);
    const answer = new Promise<unknown>((resolve, reject) => {
      connection.onMessage((data) => {
        const reader = new ValueReader(data);
        const head = reader.next();
        if (Array.isArray(head) && head[1] === 1) (head[0] === 201 ? resolve : reject)(reader.next());
      });
    });
    connection.send(encodeValue({ remoteAuthority: AUTHORITY, clientId: 'renderer' }));
    connection.send(Buffer.concat([encodeValue([100, 1, channel, name]), encodeValue([...given])]));
    try {
      return await answer as readonly Extension[];
    } finally {
      connection.close();
    }
  }
  const byId = (list: readonly Extension[]): readonly Extension[] => list.toSorted((a, b) => JSON.stringify(a.identifier).localeCompare(JSON.stringify(b.identifier)));
  const installed = (): Promise<readonly Extension[]> => ask('extensions', 'getInstalled', [undefined, undefined, undefined, 'en']);

  it('hold while nothing changes in the folder of extensions, whatever lies elsewhere', async () => {
    const builtIn = `${IDE_ROOT}/node_modules/code-server/lib/vscode/extensions`;
    const move = async (from: string, to: string): Promise<void> => { expect(await execInGuest(vm, ['sudo', '-n', 'mv', from, to])).toMatchObject({ code: 0 }); };
    await move(builtIn, `${builtIn}.away`);
    expect((await installed()).length).toBeGreaterThan(80);
    expect((await ask('remoteExtensionsScanner', 'scanExtensions', ['en', undefined, [], undefined, undefined])).length).toBeGreaterThan(80);
    await move(`${builtIn}.away`, builtIn);
  }, 120_000);

  it('are what VS Code itself answers', async () => {
    const kept = await installed();
    expect(kept.length).toBeGreaterThan(80);
    expect(byId(kept)).toEqual(byId(await ask('extensions', 'getInstalled', [undefined, DEFAULT_PROFILE, undefined, 'en'])));
    expect(new Set(kept.map(({ location }) => location.authority))).toEqual(new Set([AUTHORITY]));
    const scanned = await ask('remoteExtensionsScanner', 'scanExtensions', ['en', undefined, [], undefined, undefined]);
    expect(scanned.length).toBeGreaterThan(80);
    expect(byId(scanned)).toEqual(byId(await ask('remoteExtensionsScanner', 'scanExtensions', ['en', DEFAULT_PROFILE, [], undefined, undefined])));
  }, 120_000);

  it('hold an extension as soon as it is installed beside the workbench, and not once it is removed', async () => {
    const packed = [
      'import json, zipfile',
      'with zipfile.ZipFile("/tmp/demo.vsix", "w") as z:',
      '  z.writestr("extension/package.json", json.dumps({"name": "demo", "publisher": "vessel", "version": "1.0.0", "engines": {"vscode": "^1.60.0"}}))',
      '  z.writestr("extension.vsixmanifest", "<PackageManifest></PackageManifest>")',
    ].join('\n');
    const program = [NODE_PATH, `${IDE_ROOT}/node_modules/code-server/out/node/entry.js`, '--user-data-dir', DATA, '--extensions-dir', `${DATA}/extensions`];
    const run = async (argv: readonly string[]): Promise<void> => { expect(await execInGuest(vm, argv)).toMatchObject({ code: 0 }); };
    const demo = async (): Promise<readonly string[]> => (await installed()).map(({ identifier }) => identifier.id).filter((id) => id.startsWith('vessel.'));
    expect(await demo()).toEqual([]);
    await run(['python3', '-c', packed]);
    await run([...program, '--install-extension', '/tmp/demo.vsix']);
    expect(await demo()).toEqual(['vessel.demo']);
    await run([...program, '--uninstall-extension', 'vessel.demo']);
    expect(await demo()).toEqual([]);
  }, 300_000);
});
