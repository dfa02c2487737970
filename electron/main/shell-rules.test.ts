import { describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import { environmentPartition } from '#shared/shell.ts';
import { portArgument } from './arguments.ts';
import { failureText } from './failures.ts';
import { applicationMenu } from './menu.ts';
import { mayUse } from './permissions.ts';
import { quitQuestion } from './quit-question.ts';
import { trayMenu } from './tray.ts';
import { unpacked } from './unpacked.ts';
import { admitWebview } from './webview-policy.ts';

const BASE = 'http://vessel.localhost:8100';

describe('a webview', () => {
  const params = { src: 'http://demo.localhost:8100/', partition: environmentPartition('demo') };

  it('loses its preload, its Node and everything else that reaches out', () => {
    const preferences: Record<string, unknown> = { preload: '/tmp/x.js', nodeIntegration: true, nodeIntegrationInSubFrames: true, contextIsolation: false, sandbox: false, webSecurity: false, additionalArguments: ['--x'], enableBlinkFeatures: 'X', session: {} };
    expect(admitWebview(preferences, params, BASE)).toBeNull();
    expect(preferences).toEqual({
      nodeIntegration: false, nodeIntegrationInSubFrames: false, nodeIntegrationInWorker: false, contextIsolation: true, sandbox: true, webSecurity: true,
      allowRunningInsecureContent: false, webviewTag: false, navigateOnDragDrop: false, safeDialogs: true, partition: environmentPartition('demo'),
    });
  });

  it.each([
    ['the partition of another environment', { ...params, partition: environmentPartition('other') }],
    ['the partition of the app', { ...params, partition: 'persist:vessel' }],
    ['no partition', { src: params.src }],
    ['the app itself', { ...params, src: `${BASE}/` }],
    ['a page of the web', { ...params, src: 'https://example.org/' }],
    ['a file', { ...params, src: 'file:///etc/passwd' }],
    ['nothing', { partition: params.partition }],
  ])('is refused with %s', (_what, bad) => {
    expect(admitWebview({}, bad, BASE)).not.toBeNull();
  });
});

describe('permissions', () => {
  it('are the few that an editor needs, and only for our own pages', () => {
    expect(mayUse('clipboard-read', 'http://demo.localhost:8100/', BASE)).toBe(true);
    expect(mayUse('notifications', `${BASE}/`, BASE)).toBe(true);
    expect(mayUse('media', 'http://demo.localhost:8100/', BASE)).toBe(false);
    expect(mayUse('geolocation', `${BASE}/`, BASE)).toBe(false);
    expect(mayUse('clipboard-read', 'https://example.org/', BASE)).toBe(false);
    expect(mayUse('openExternal', 'http://demo.localhost:8100/', BASE)).toBe(false);
    expect(mayUse('clipboard-read', '', BASE)).toBe(false);
  });
});

describe('the question at quit', () => {
  const running = ['alpha', 'beta', 'gamma', 'delta'].map((name) => ({ projectId: name, name }));

  it('names what keeps running and never makes quitting the default when there is a tray', () => {
    const { options, answers } = quitQuestion(running, true);
    expect(options.message).toBe('4 environments keep running: alpha, beta, gamma and 1 more');
    expect(answers[options.defaultId ?? -1]).toBe('hide');
    expect(answers[options.cancelId ?? -1]).toBe('stay');
  });

  it('offers no tray where there is none', () => {
    expect(quitQuestion(running.slice(0, 1), false).answers).toEqual(['quit', 'stay']);
    expect(quitQuestion(running.slice(0, 1), false).options.message).toBe('alpha keeps running');
  });
});

describe('menus', () => {
  it('leave the keys of VS Code alone on Linux and Windows', () => {
    const accelerators = (items: readonly { readonly accelerator?: unknown; readonly submenu?: unknown }[]): unknown[] => items.flatMap((item) => [item.accelerator, ...(Array.isArray(item.submenu) ? accelerators(item.submenu as readonly { readonly accelerator?: unknown }[]) : [])]);
    const taken = accelerators(applicationMenu('linux', { reload: () => undefined, quit: () => undefined })).filter((key) => key !== undefined && key !== '');
    expect(taken).toEqual(['CommandOrControl+Alt+Shift+I']);
  });

  it('lead from the tray to each running environment', () => {
    const shown: (string | undefined)[] = [];
    const menu = trayMenu([{ projectId: 'demo-1', name: 'Demo' }], { show: (path) => { shown.push(path); }, quit: () => undefined });
    const item = menu.find(({ label }) => label === 'Demo');
    item?.click?.(undefined as never, undefined, undefined as never);
    expect(shown).toEqual(['/projects/demo-1']);
  });
});

it('a packaged program is looked for outside of the archive, once', () => {
  expect(unpacked('/opt/Vessel/resources/app.asar/out/server/main.mjs')).toBe('/opt/Vessel/resources/app.asar.unpacked/out/server/main.mjs');
  expect(unpacked('/opt/Vessel/resources/app.asar.unpacked/out/x')).toBe('/opt/Vessel/resources/app.asar.unpacked/out/x');
  expect(unpacked('/src/out/server/main.mjs')).toBe('/src/out/server/main.mjs');
});

it('the port is read from either form and refused when it is none', () => {
  expect(portArgument(['electron', '.', '--port', '8123'])).toBe(8123);
  expect(portArgument(['electron', '.', '--port=8123'])).toBe(8123);
  for (const bad of [['--port'], ['--port', 'x'], ['--port=0'], ['--port', '65536'], []]) expect(portArgument(bad)).toBeNull();
});

it('a failure is told with its code, its fix and its evidence', () => {
  const text = failureText(new VesselError('PORT_IN_USE', 'Port 80 is taken', { logTail: ['listen EADDRINUSE'] }));
  expect(text).toContain('Port 80 is taken (PORT_IN_USE)');
  expect(text).toContain('--port');
  expect(text).toContain('listen EADDRINUSE');
});
