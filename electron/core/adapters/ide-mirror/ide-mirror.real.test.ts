import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import { hostOf, person, withKeys, type TestPerson } from '../ssh/testing/client.ts';
import { makeKey, me, startSshd, whyNoSshd, type Sshd } from '../ssh/testing/sshd.ts';
import type { SshHost } from '../ssh/ssh-host.ts';
import { makeIdeMirror } from './ide-mirror.ts';

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

describeUnless(whyNoSshd(), 'the IDE files of a host over SSH', () => {
  let who: TestPerson;
  let sshd: Sshd;
  let host: SshHost;
  let source = '';
  let cache = '';
  const files = new Map([['0/out/work bench.js', randomBytes(300_000)], ["0/it's.css", Buffer.from('a{}')], ['1/-empty', Buffer.alloc(0)], ['1/same.css', Buffer.from('a{}')]]);
  const image = (): { readonly key: string; readonly ideStaticDir: string } => ({ key: 'k'.repeat(32), ideStaticDir: source });
  const mirror = (): ReturnType<typeof makeIdeMirror> => makeIdeMirror({ cache, log: () => undefined });
  const filled = (): readonly string[] => readdirSync(join(cache, 'ide', 'code-server-4.0.0-c'));

  beforeAll(async () => {
    who = person();
    const key = makeKey(who.folder, 'key');
    sshd = await startSshd({ authorized: [key.publicLine] });
    host = hostOf(who, `${me}@127.0.0.1:${sshd.port}`, key.path);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
  });
  beforeEach(() => {
    source = join(who.folder, 'host', randomBytes(4).toString('hex'));
    cache = join(who.folder, 'cache', randomBytes(4).toString('hex'));
    for (const [name, content] of files) { mkdirSync(dirname(join(source, name)), { recursive: true }); writeFileSync(join(source, name), content); }
    writeFileSync(join(source, 'manifest.json'), JSON.stringify({ format: 1, ide: 'code-server', version: '4.0.0', commit: 'c', prefixes: [], files: Object.fromEntries([...files].map(([name, content]) => [name, { sha256: sha256(content), bytes: content.length }])) }));
    writeFileSync(join(source, 'workbench-page.json'), '{"format":1}');
  });
  afterAll(async () => { await host.dispose(); await sshd.stop(); rmSync(who.folder, { recursive: true, force: true }); });

  it('are fetched once, by content, and are there for the gateway', async () => {
    const first = mirror();
    expect(first.directoryOf('far', image())).toBeNull();
    await first.fetch(host, image());
    const directory = first.directoryOf(host.hostId, image()) ?? '';
    expect(readFileSync(join(directory, 'workbench-page.json'), 'utf8')).toBe('{"format":1}');
    expect(filled().toSorted()).toEqual([...new Set([...files.values()].map(sha256))].toSorted());
    // A later Vessel finds them, and asks the host for nothing but its manifest.
    rmSync(join(source, '0'), { recursive: true });
    const later = mirror();
    expect(later.directoryOf(host.hostId, image())).toBe(directory);
    await later.fetch(host, image());
  });

  it('are used from this computer where it has the same image', async () => {
    const here = join(cache, 'images', image().key, 'ide-static');
    mkdirSync(here, { recursive: true });
    writeFileSync(join(here, 'manifest.json'), readFileSync(join(source, 'manifest.json')));
    const one = mirror();
    await one.fetch(host, image());
    expect(one.directoryOf(host.hostId, image())).toBe(here);
    expect(readdirSync(cache)).toEqual(['images']);
  });

  it('that are not what the manifest promises are not kept, and are asked for again', async () => {
    writeFileSync(join(source, "0/it's.css"), 'b{}');
    const one = mirror();
    await expect(one.fetch(host, image())).rejects.toMatchObject({ code: 'ARCHIVE_CORRUPT' });
    expect(filled()).not.toContain(sha256(Buffer.from('b{}')));
    writeFileSync(join(source, "0/it's.css"), 'a{}');
    await one.fetch(host, image());
    expect(filled()).toContain(sha256(Buffer.from('a{}')));
  });
});
