import { describe, expect, it } from 'vitest';
import { environmentOf, isAppUrl, isExternalUrl } from './origins.ts';

const BASE = 'http://vessel.localhost:8100';

describe('the app origin', () => {
  it('is exactly scheme, host and port', () => {
    expect(isAppUrl(`${BASE}/#/projects`, BASE)).toBe(true);
    for (const other of ['http://vessel.localhost/', 'https://vessel.localhost:8100/', 'http://vessel.localhost:81000/', 'http://vessel.localhost.evil.test:8100/', 'http://demo.vessel.localhost:8100/', 'http://user@evil.test:8100/', 'file:///etc/passwd', 'nonsense', '']) {
      expect(isAppUrl(other, BASE), other).toBe(false);
    }
  });
});

describe('environment addresses', () => {
  it('are a project id, with or without a guest port, at the port of the gateway', () => {
    expect(environmentOf('http://demo-k3f9.localhost:8100/?t=1', BASE)).toEqual({ projectId: 'demo-k3f9', guestPort: null });
    expect(environmentOf('http://5173--demo-k3f9.localhost:8100/', BASE)).toEqual({ projectId: 'demo-k3f9', guestPort: 5173 });
    expect(environmentOf('http://demo.localhost/', 'http://vessel.localhost')).toEqual({ projectId: 'demo', guestPort: null });
  });

  it.each([
    'http://vessel.localhost:8100/', 'http://demo.localhost:9999/', 'https://demo.localhost:8100/', 'http://demo.localhost.evil.test:8100/', 'http://demo.example:8100/',
    'http://a--b.localhost:8100/', 'http://70000--demo.localhost:8100/', 'http://0--demo.localhost:8100/', 'http://localhost:8100/', 'http://127.0.0.1:8100/',
    'http://user:pass@demo.localhost:8100/', 'javascript:alert(1)', 'file:///demo.localhost', 'about:blank', '',
  ])('are not %s', (url) => {
    expect(environmentOf(url, BASE)).toBeNull();
  });
});

describe('addresses for the system', () => {
  it('are web and mail only', () => {
    expect(['https://example.org', 'http://example.org', 'mailto:a@b.c'].every(isExternalUrl)).toBe(true);
    expect(['file:///etc/passwd', 'vscode://x', 'javascript:alert(1)', 'smb://host', ''].some(isExternalUrl)).toBe(false);
  });
});
