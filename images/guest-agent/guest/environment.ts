import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { AgentConfig } from '../config.ts';
import { errnoOf, log, messageOf } from '../log.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the image gives every login: authorities for TLS, language. */
const LOGIN_ENVIRONMENT = '/etc/environment';

/** Reads `NAME=value` lines as pam_env does, quotes around a value removed. A missing file is an empty one. */
function readLoginEnvironment(): Readonly<Record<string, string>> {
  try {
    const lines = readFileSync(LOGIN_ENVIRONMENT, 'utf8').split('\n');
    return Object.fromEntries(lines.flatMap((line) => {
      const found = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(["']?)(.*)\2\s*$/.exec(line);
      return found === null ? [] : [[found[1], found[3]]];
    })) as Record<string, string>;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') log(`${LOGIN_ENVIRONMENT}: ${messageOf(error)}`);
    return {};
  }
}

/** How processes of the workspace's user are started: who they run as and the environment of a login shell. */
export class GuestEnvironment {
  readonly #config: AgentConfig;
  readonly #login: Readonly<Record<string, string>>;
  /** From the identity; may hold secrets. */
  #extra: Readonly<Record<string, string>> = {};

  constructor(config: AgentConfig) {
    this.#config = config;
    this.#login = config.user === null ? {} : readLoginEnvironment();
  }

  setExtra(env: Readonly<Record<string, string>>): void {
    this.#extra = env;
  }

  /** Where programs of the system are; nothing that the workspace's user may write, save in the process driver. */
  get systemPath(): string {
    return this.#config.user === null ? (process.env['PATH'] ?? DEFAULT_PATH) : DEFAULT_PATH;
  }

  /** Options for spawn(): empty when the agent does not change user. */
  credentials(): { readonly uid?: number; readonly gid?: number } {
    const { user } = this.#config;
    return user === null ? {} : { uid: user.uid, gid: user.gid };
  }

  /** The environment as after a login, plus the identity's, plus `more`. The agent's own environment is not inherited, save PATH in the process driver. */
  variables(more: Readonly<Record<string, string>>): Record<string, string> {
    const { user } = this.#config;
    const own = user ?? { name: userInfo().username, home: process.env['HOME'] ?? '/' };
    const path = user === null ? (process.env['PATH'] ?? DEFAULT_PATH) : `${own.home}/.local/bin:${DEFAULT_PATH}`;
    return {
      ...this.#login,
      HOME: own.home, USER: own.name, LOGNAME: own.name, SHELL: '/bin/bash', LANG: 'C.UTF-8', PATH: path,
      ...this.#extra, ...more,
    };
  }
}
