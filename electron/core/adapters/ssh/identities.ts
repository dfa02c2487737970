import { readFile } from 'node:fs/promises';
import ssh2, { type ParsedKey } from 'ssh2';
import { VesselError } from '#shared/errors.ts';
import type { SshHop } from './config.ts';
import type { Questions } from './questions.ts';

const { BaseAgent, OpenSSHAgent, utils } = ssh2;

type Sign = (error: Error | null, signature?: Buffer) => void;

/** One key that can be offered: ssh2 sees an agent that holds just this one, so that each is tried, and told of, by itself. */
export type Identity = {
  /** For messages: a path, or the agent's comment. */
  readonly name: string;
  readonly agent: InstanceType<typeof BaseAgent>;
};

export type IdentityFinding = {
  readonly identities: readonly Identity[];
  /** What could not be used and why, for the message when nothing worked. */
  readonly notes: readonly string[];
};

/**
 * The keys to offer, in ssh(1)'s order (pubkey_prepare in sshconnect2.c): those that the agent holds and a file names, in
 * the agent's order; the agent's others, unless IdentitiesOnly; then the files. Of a key in the agent the public half
 * (`x.pub`) is enough. An encrypted file is not decrypted before the server has said that it would take its key.
 */
export async function findIdentities(hop: SshHop, questions: Questions): Promise<IdentityFinding> {
  const notes: string[] = [];
  const files = (await Promise.all(hop.identityFiles.map((path) => loadFile(path, questions, notes)))).filter((file) => file !== null);
  const held = hop.agentSocket === null ? [] : await agentKeys(hop.agentSocket, notes);
  const isNamed = ({ key }: AgentKey): boolean => files.some(({ publicKey }) => publicKey.equals(key.getPublicSSH()));
  const fromAgent = [...held.filter(isNamed), ...(hop.identitiesOnly ? [] : held.filter((one) => !isNamed(one)))];
  const rest = files.filter(({ publicKey }) => !fromAgent.some(({ key }) => key.getPublicSSH().equals(publicKey)));
  for (const { path, identity } of rest) if (identity === null) notes.push(`the agent does not hold the key of ${path}, and its private half is not there`);
  return { identities: [...fromAgent.map(agentIdentity), ...rest.flatMap(({ identity }) => (identity === null ? [] : [identity]))], notes };
}

type AgentKey = { readonly key: ParsedKey; readonly agent: InstanceType<typeof OpenSSHAgent> };

function agentIdentity({ key, agent }: AgentKey): Identity {
  const sign = (data: Buffer, hash: Hash, done: Sign): void => { agent.sign(key, data, hash === undefined ? {} : { hash }, (error, signature) => done(error ?? null, signature)); };
  return { name: `agent: ${key.comment === '' ? key.type : key.comment}`, agent: new SingleKeyAgent(key, sign) };
}

/** The hash that RSA signatures are made with; undefined lets the key's type decide. */
type Hash = 'sha1' | 'sha256' | 'sha512' | undefined;

class SingleKeyAgent extends BaseAgent<ParsedKey> {
  readonly #key: ParsedKey;
  readonly #sign: (data: Buffer, hash: Hash, done: Sign) => void;

  constructor(key: ParsedKey, sign: (data: Buffer, hash: Hash, done: Sign) => void) {
    super();
    this.#key = key;
    this.#sign = sign;
  }

  override getIdentities(done: (error?: Error | null, keys?: ParsedKey[]) => void): void { done(null, [this.#key]); }

  override sign(_key: ParsedKey, data: Buffer, options: { readonly hash?: Hash } | Sign, done?: Sign): void {
    if (typeof options === 'function') this.#sign(data, undefined, options);
    else this.#sign(data, options.hash, done ?? (() => undefined));
  }
}

function agentKeys(socket: string, notes: string[]): Promise<readonly AgentKey[]> {
  const agent = new OpenSSHAgent(socket);
  return new Promise((resolve) => {
    agent.getIdentities((error, keys) => {
      if (error != null || keys === undefined) {
        notes.push(`the agent at ${socket} does not answer`);
        resolve([]);
        return;
      }
      resolve(keys.flatMap((raw) => {
        // A key type that ssh2 cannot use (hardware keys, certificates) is passed over.
        const key = utils.parseKey(raw as unknown as Buffer);
        return key instanceof Error ? [] : [{ key, agent }];
      }));
    });
  });
}

/** `identity` is null where only the public half is there: the agent may hold the other. */
type KeyFile = { readonly path: string; readonly publicKey: Buffer; readonly identity: Identity | null };

/** null when the file is absent or no key. */
async function loadFile(path: string, questions: Questions, notes: string[]): Promise<KeyFile | null> {
  const text = await readOptional(path, notes);
  const beside = await readOptional(`${path}.pub`, []);
  const publicOnly = (): KeyFile | null => { const key = beside === null ? null : publicKeyOf(beside); return key === null ? null : { path, publicKey: key.getPublicSSH(), identity: null }; };
  if (text === null) return publicOnly();
  const plain = utils.parseKey(text);
  if (!(plain instanceof Error)) {
    const identity = plain.isPrivateKey() ? { name: path, agent: new SingleKeyAgent(plain, (data, hash, done) => signWith(plain, data, hash, done)) } : null;
    return { path, publicKey: plain.getPublicSSH(), identity };
  }
  if (!/no passphrase given/.test(plain.message)) { notes.push(`${path} cannot be read (${plain.message})`); return publicOnly(); }
  const blob = publicPart(text);
  const known = blob === null ? (beside === null ? null : publicKeyOf(beside)) : publicKeyOf(blob);
  if (known === null) { notes.push(`${path} is encrypted and its public half is not beside it (${path}.pub)`); return null; }
  const unlock = (data: Buffer, hash: Hash, done: Sign): void => {
    decrypt(path, text, questions).then((key) => signWith(key, data, hash, done), (error: unknown) => done(VesselError.from(error)));
  };
  return { path, publicKey: known.getPublicSSH(), identity: { name: path, agent: new SingleKeyAgent(known, unlock) } };
}

function publicKeyOf(data: string | Buffer): ParsedKey | null {
  const key = utils.parseKey(data);
  return key instanceof Error ? null : key;
}

function signWith(key: ParsedKey, data: Buffer, hash: Hash, done: Sign): void {
  // The types know no Error as a result, but that is how ssh2 reports one.
  const signature = key.sign(data, hash) as Buffer | Error;
  if (signature instanceof Error) done(signature);
  else done(null, signature);
}

/** Wrong passphrases are asked for anew; a remembered one that no longer fits is forgotten. */
function decrypt(path: string, text: string, questions: Questions): Promise<ParsedKey> {
  return questions.secret({
    kind: 'passphrase', subject: path, label: `Passphrase of ${path}`, secretName: `ssh-passphrase:${path}`,
    use: (passphrase) => {
      const key = utils.parseKey(text, passphrase);
      return Promise.resolve(key instanceof Error ? null : key);
    },
    refused: () => new VesselError('SSH_AUTH_FAILED', `No given passphrase opens ${path}`, { hint: 'Check the passphrase with `ssh-keygen -y -f`.', details: { key: path } }),
    unasked: () => new VesselError('SSH_PASSPHRASE_NEEDED', `${path} is encrypted and nobody can be asked for its passphrase`, { details: { key: path } }),
  });
}

async function readOptional(path: string, notes: string[]): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A usual key that is not there is nothing to speak of.
    if (code !== 'ENOENT' && code !== 'ENOTDIR') notes.push(`${path} cannot be read (${code ?? String(error)})`);
    return null;
  }
}

const MAGIC = 'openssh-key-v1\0';

/** The public half of an encrypted key in OpenSSH's own format, which stands in it unencrypted (PROTOCOL.key of OpenSSH). */
function publicPart(text: string): Buffer | null {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(text)?.[1];
  if (body === undefined) return null;
  const data = Buffer.from(body, 'base64');
  if (data.toString('latin1', 0, MAGIC.length) !== MAGIC) return null;
  let at = MAGIC.length;
  const field = (): Buffer => {
    const length = data.readUInt32BE(at);
    const value = data.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return value;
  };
  try {
    field(); // cipher
    field(); // key derivation
    field(); // its options
    at += 4; // number of keys, always one
    return field();
  } catch (error) {
    if (error instanceof RangeError) return null; // cut short
    throw error;
  }
}
