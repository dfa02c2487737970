import { readFileSync } from 'node:fs';

/** The unprivileged user that owns the workspace and runs the IDE, commands and terminals. */
export type AgentUser = { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string };

/** How the IDE of this image is started and asked whether it serves. */
export type IdeConfig = {
  readonly name: 'code-server' | 'openvscode-server';
  readonly version: string;
  readonly commit: string | null;
  /** Program and arguments, absolute path first. It must listen on 127.0.0.1:port without a password. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
  /** Answers 2xx or 3xx once the IDE serves, e.g. `/healthz`. */
  readonly healthPath: string;
  /** Fetched once after that, so that a frozen template has the server's code loaded. */
  readonly warmPaths: readonly string[];
};

/** The agent's configuration file (JSON): argv[2], else {@link DEFAULT_CONFIG_PATH}. */
export type AgentConfig = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly workspace: string;
  /** null: everything runs as the agent's own user and privileged steps are skipped (`process` driver, unit tests). */
  readonly user: AgentUser | null;
  readonly ide: IdeConfig;
  /** Holds the bearer token (trimmed). `identity` rewrites it. */
  readonly tokenFile: string;
  /** Folder of a built `node-pty` module; null switches terminals off. */
  readonly nodePty: string | null;
};

export const DEFAULT_CONFIG_PATH = '/etc/vessel/agent.json';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads typed fields out of parsed JSON and names the field that is wrong. */
class Fields {
  readonly #record: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (!isRecord(value)) throw new TypeError(`${where || 'configuration'}: expected an object`);
    this.#record = value;
    this.#where = where;
  }

  #fail(name: string, expected: string): never {
    throw new TypeError(`${this.#where}${name}: expected ${expected}`);
  }

  raw(name: string): unknown {
    return this.#record[name];
  }

  child(name: string): Fields {
    return new Fields(this.#record[name], `${this.#where}${name}.`);
  }

  text(name: string): string {
    const value = this.#record[name];
    return typeof value === 'string' && value !== '' ? value : this.#fail(name, 'a non-empty string');
  }

  textOrNull(name: string): string | null {
    return this.#record[name] === null || this.#record[name] === undefined ? null : this.text(name);
  }

  integer(name: string, minimum: number, maximum: number): number {
    const value = this.#record[name];
    return typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum ? value : this.#fail(name, `an integer from ${minimum} to ${maximum}`);
  }

  texts(name: string): readonly string[] {
    const value = this.#record[name];
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : this.#fail(name, 'a list of strings');
  }

  textMap(name: string): Readonly<Record<string, string>> {
    const value = this.#record[name] ?? {};
    if (!isRecord(value)) return this.#fail(name, 'an object of strings');
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? item : this.#fail(`${name}.${key}`, 'a string')]));
  }
}

/** Checks a parsed configuration. Throws TypeError naming the wrong field. Hand-written: zod would cost 12 MB in every guest. */
export function parseAgentConfig(value: unknown): AgentConfig {
  const root = new Fields(value, '');
  const listen = root.child('listen');
  const ide = root.child('ide');
  const user = root.raw('user') === null ? null : root.child('user');
  const name = ide.text('name');
  if (name !== 'code-server' && name !== 'openvscode-server') throw new TypeError('ide.name: expected code-server or openvscode-server');
  const argv = ide.texts('argv');
  if (argv.length === 0) throw new TypeError('ide.argv: expected a program');
  return {
    listen: { host: listen.text('host'), port: listen.integer('port', 0, 65535) },
    workspace: root.text('workspace'),
    user: user === null ? null : { name: user.text('name'), uid: user.integer('uid', 0, 2 ** 31), gid: user.integer('gid', 0, 2 ** 31), home: user.text('home') },
    ide: {
      name, argv, version: ide.text('version'), commit: ide.textOrNull('commit'), env: ide.textMap('env'),
      port: ide.integer('port', 1, 65535), healthPath: ide.text('healthPath'), warmPaths: ide.texts('warmPaths'),
    },
    tokenFile: root.text('tokenFile'),
    nodePty: root.textOrNull('nodePty'),
  };
}

/** Reads and checks the configuration file. */
export function readAgentConfig(path: string): AgentConfig {
  return parseAgentConfig(JSON.parse(readFileSync(path, 'utf8')));
}
