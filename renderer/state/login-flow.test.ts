import { expect, it } from 'vitest';
import type { CallName, Client, Host, Prompt, StreamItem } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { sampleHost } from '../testing/fixture-data.ts';
import { LoginFlow, type LoginWork } from './login-flow.ts';

type PromptEvent = StreamItem<'prompts.watch'>;
const HOST: Host = { ...sampleHost(0), id: 'box', name: 'box', kind: 'ssh' };
const key = (fingerprint: string): VesselError => new VesselError('HOST_KEY_UNKNOWN', 'seen for the first time', { details: { name: 'box', type: 'ssh-ed25519', fingerprint } });
const question = (promptId: string, extra: Partial<Prompt> = {}): Prompt => ({ promptId, scope: 's', kind: 'questions', subject: 'ada@box', instructions: '', fields: [{ label: 'Code', echo: false }], mayRemember: false, attempt: 1, ...extra });

/** The other side of the wire: what was called, and a way to ask. */
function otherSide(): { readonly client: Client; readonly called: (readonly [CallName, unknown])[]; readonly ask: (event: PromptEvent) => void } {
  const called: (readonly [CallName, unknown])[] = [];
  const events: PromptEvent[] = [];
  let wake = (): void => undefined;
  return {
    called,
    ask: (event) => { events.push(event); wake(); },
    client: {
      call: (name, input) => { called.push([name, input]); return Promise.resolve({ ok: true } as never); },
      async *stream(_name, _input, options = {}) {
        options.signal?.addEventListener('abort', () => wake());
        while (options.signal?.aborted !== true) {
          while (events.length > 0) yield events.shift() as never;
          await new Promise<void>((resolve) => { wake = resolve; });
        }
      },
    },
  };
}

const reaches = async (flow: LoginFlow, phase: string): Promise<void> => { await expect.poll(() => flow.state().phase).toBe(phase); };

it('confirms no unknown key by itself, and passes on exactly the one that a person confirmed', async () => {
  const flow = new LoginFlow(otherSide().client);
  const given: (readonly string[])[] = [];
  flow.start(({ acceptHostKeys }) => {
    given.push(acceptHostKeys);
    return acceptHostKeys.length < 2 ? Promise.reject(key(`SHA256:${acceptHostKeys.length}`)) : Promise.resolve(HOST);
  });
  await reaches(flow, 'trusting');
  expect(flow.state()).toMatchObject({ key: { fingerprint: 'SHA256:0', type: 'ssh-ed25519' } });
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  expect(given).toEqual([[]]);
  flow.trust();
  await expect.poll(() => flow.state()).toMatchObject({ phase: 'trusting', key: { fingerprint: 'SHA256:1' } });
  flow.trust();
  await reaches(flow, 'done');
  expect(given).toEqual([[], ['SHA256:0'], ['SHA256:0', 'SHA256:1']]);
});

it('stops hard at a changed key, and at a confirmed one that is refused all the same', async () => {
  const flow = new LoginFlow(otherSide().client);
  flow.start(() => Promise.reject(new VesselError('HOST_KEY_CHANGED', 'another key', { details: { name: 'box', type: 'x', fingerprint: 'SHA256:0', file: '/f', line: 3 } })));
  await reaches(flow, 'failed');
  flow.start(() => Promise.reject(key('SHA256:0')));
  await reaches(flow, 'trusting');
  flow.trust();
  await reaches(flow, 'failed');
  expect(flow.state()).toMatchObject({ error: { code: 'HOST_KEY_UNKNOWN' } });
});

it('shows one question after the other and sends each answer to its own', async () => {
  const other = otherSide();
  const flow = new LoginFlow(other.client);
  let end: (host: Host) => void = () => undefined;
  flow.start(() => new Promise((resolve) => { end = resolve; }));
  other.ask({ kind: 'prompt', prompt: question('one') });
  await reaches(flow, 'asking');
  flow.answer(['1'], true);
  expect(flow.state().phase).toBe('working');
  other.ask({ kind: 'closed', promptId: 'one' });
  other.ask({ kind: 'prompt', prompt: question('two', { attempt: 2 }) });
  await expect.poll(() => flow.state()).toMatchObject({ phase: 'asking', prompt: { promptId: 'two' } });
  flow.answer(['2'], false);
  end(HOST);
  await reaches(flow, 'done');
  expect(other.called).toEqual([['prompts.answer', { promptId: 'one', answers: ['1'], remember: true }], ['prompts.answer', { promptId: 'two', answers: ['2'], remember: false }]]);
});

it('declines the question when it is cancelled, ends the call, and shows nothing of it afterwards', async () => {
  const other = otherSide();
  const flow = new LoginFlow(other.client);
  let aborted = false;
  const work: LoginWork = (_options, signal) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { aborted = true; reject(new VesselError('CANCELLED')); }); });
  flow.start(work);
  other.ask({ kind: 'prompt', prompt: question('one') });
  await reaches(flow, 'asking');
  flow.cancel();
  expect(flow.state().phase).toBe('idle');
  await expect.poll(() => aborted).toBe(true);
  expect(other.called).toEqual([['prompts.answer', { promptId: 'one', answers: null }]]);
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  expect(flow.state().phase).toBe('idle');
});

it('fails with a reason when questions cannot be heard', async () => {
  const { client } = otherSide();
  const flow = new LoginFlow({ ...client, stream: () => { throw new VesselError('BAD_REQUEST', 'no such stream'); } });
  flow.start(() => new Promise(() => undefined));
  await reaches(flow, 'failed');
  expect(flow.state()).toMatchObject({ error: { code: 'BAD_REQUEST' } });
});
