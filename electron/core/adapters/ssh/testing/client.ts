import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Prompter, PromptQuestion } from '../../../ports/prompter.ts';
import { FileSecretStore } from '../../secrets/file-secret-store.ts';
import type { SshEnvironment } from '../config.ts';
import { HostKeyFiles } from '../host-key-files.ts';
import { resolveRoute } from '../route.ts';
import { SshHost } from '../ssh-host.ts';
import { me, scratch } from './sshd.ts';

/** A person's computer: a home with `.ssh`, a VESSEL_HOME, an environment. */
export type TestPerson = { readonly folder: string; readonly environment: SshEnvironment; readonly hostKeys: HostKeyFiles; readonly secrets: FileSecretStore; readonly logged: string[] };

export function person(env: Readonly<Record<string, string>> = {}): TestPerson {
  const folder = scratch();
  mkdirSync(join(folder, '.ssh'), { mode: 0o700 });
  return {
    folder, logged: [],
    environment: { homeDirectory: folder, localUser: me, env, configFiles: [join(folder, '.ssh', 'config')], globalKnownHostsFiles: [] },
    hostKeys: new HostKeyFiles(join(folder, 'vessel')),
    secrets: new FileSecretStore(join(folder, 'vessel', 'secrets.json')),
  };
}

export function hostOf(who: TestPerson, target: string, identityFile: string | null = null): SshHost {
  return new SshHost({
    hostId: 'test', name: target, now: () => Date.now(), hops: () => resolveRoute(target, identityFile, who.environment), hostKeys: who.hostKeys, secrets: who.secrets,
    log: (line) => { who.logged.push(line); },
  });
}

/** Answers questions from a list, and remembers what it was asked. */
export function answering(...given: (readonly string[] | null)[]): { readonly prompter: Prompter; readonly asked: PromptQuestion[] } {
  const asked: PromptQuestion[] = [];
  return { asked, prompter: { ask: (question) => {
    asked.push(question);
    const answers = given.shift();
    return answers === undefined ? Promise.reject(new Error(`asked too often: ${JSON.stringify(question)}`)) : Promise.resolve(answers === null ? null : { answers, remember: false });
  } } };
}

export const withKeys = (...acceptHostKeys: readonly string[]): { readonly prompter: null; readonly acceptHostKeys: readonly string[] } => ({ prompter: null, acceptHostKeys });
