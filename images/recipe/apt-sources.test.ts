import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { distributionSources, parseDeb822Sources, parseOneLineSources, readAptSources, renderSources } from './apt-sources.ts';
import { parseOsRelease } from './distribution.ts';
import type { Distribution } from './distribution.ts';

const bookworm: Distribution = { id: 'debian', suite: 'bookworm', version: '12' };
const jammy: Distribution = { id: 'ubuntu', suite: 'jammy', version: '22.04' };

describe('apt sources of the host', () => {
  it('reads deb822 stanzas with several suites, comments and folded fields', () => {
    const sources = parseDeb822Sources('# mirror\nTypes: deb deb-src\n# old\nURIs: http://mirror.example/debian\nSuites: bookworm\n bookworm-updates\nComponents: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\nTypes: deb-src\nURIs: http://mirror.example/src\nSuites: bookworm\nComponents: main\n\nEnabled: no\nTypes: deb\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n');
    expect(sources.map((source) => source.suite)).toEqual(['bookworm', 'bookworm-updates']);
    expect(sources[0]).toMatchObject({ uri: 'http://mirror.example/debian', components: ['main', 'contrib'], signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg' });
  });

  it('reads one-line entries with options and ignores sources, comments and other words', () => {
    const sources = parseOneLineSources('# deb http://no.example x main\ndeb-src http://no.example bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://yes.example/debian bookworm main # note\ndeb http://plain.example jammy universe main\n');
    expect(sources).toEqual([
      { uri: 'http://yes.example/debian', suite: 'bookworm', components: ['main'], signedBy: '/k.gpg', trusted: false },
      { uri: 'http://plain.example', suite: 'jammy', components: ['universe', 'main'], signedBy: null, trusted: false },
    ]);
  });

  it('keeps only the archives of the distribution and leaves third parties out', () => {
    const sources = parseOneLineSources([
      'deb http://mirror.example/debian bookworm main', 'deb http://mirror.example/debian bookworm main', 'deb http://mirror.example/debian-security bookworm-security main',
      'deb [signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.example/debian bookworm main', 'deb https://vendor.example/apt bookworm stable', 'deb https://vendor.example/apt nodistro main',
      'deb http://mirror.example/debian trixie main',
    ].join('\n'));
    expect(distributionSources(sources, bookworm).map((source) => `${source.uri} ${source.suite}`)).toEqual(['http://mirror.example/debian bookworm', 'http://mirror.example/debian-security bookworm-security']);
    expect(distributionSources(parseOneLineSources('deb http://a.example/ubuntu jammy main universe\ndeb http://a.example/ubuntu jammy-security main'), jammy)).toHaveLength(2);
  });

  it('writes the lines that mmdebstrap reads', () => {
    expect(renderSources([{ uri: 'http://a.example', suite: 'bookworm', components: ['main'], signedBy: '/k.gpg', trusted: false }, { uri: 'http://b.example', suite: 'bookworm', components: ['main'], signedBy: null, trusted: true }]))
      .toBe('deb [signed-by=/k.gpg] http://a.example bookworm main\ndeb [trusted=yes] http://b.example bookworm main\n');
  });

  describe('read from a folder', () => {
    let dir = '';
    afterEach(async () => { await rm(dir, { recursive: true, force: true }); });

    it('fails clearly when the host names no archive of its own release, and ignores disabled files', async () => {
      dir = await mkdtemp(join(tmpdir(), 'vessel-apt-'));
      await mkdir(join(dir, 'sources.list.d'));
      await writeFile(join(dir, 'sources.list.d', 'debian.list.disabled'), 'deb http://a.example bookworm main\n');
      await expect(readAptSources(bookworm, dir)).rejects.toMatchObject({ code: 'PROVISION_FAILED' });
      await writeFile(join(dir, 'sources.list'), 'deb http://a.example bookworm main\n');
      expect(await readAptSources(bookworm, dir)).toHaveLength(1);
    });
  });
});

describe('the distribution of the host', () => {
  it('is read from os-release, and others are refused by name', () => {
    expect(parseOsRelease('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n')).toEqual(bookworm);
    expect(() => parseOsRelease('PRETTY_NAME="Fedora 44"\nID=fedora\n')).toThrow(/Fedora 44/);
  });
});
