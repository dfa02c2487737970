import { chownSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import type { GuestIdentity, GuestWake } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { AgentUser } from '../config.ts';
import { errnoOf, log, messageOf } from '../log.ts';
import { SHELL_SCORE } from './memory-scores.ts';
import type { RootHelper } from './root-helper.ts';

/** Where shells find the environment given by the identity; the image's bashrc sources it. */
export const ENV_FILE = '/run/vessel/env.sh';

const HOSTNAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MACHINE_ID = /^[0-9a-f]{32}$/;
const TIMEZONE = /^[A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*$/;
const ADDRESS = /^[0-9a-fA-F.:]+$/;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MINIMUM_ENTROPY_BYTES = 32;

const bad = (field: string): never => {
  throw new VesselError('BAD_REQUEST', `identity.${field} is malformed`);
};

/** Checks what a machine is told after a hibernation. Throws BAD_REQUEST naming the field. */
export function parseWake({ epochMs, entropy }: Readonly<Record<string, unknown>>): GuestWake {
  if (typeof epochMs !== 'number' || !(epochMs > 0) || epochMs > 8.64e15) return bad('epochMs');
  if (typeof entropy !== 'string' || Buffer.from(entropy, 'base64').length < MINIMUM_ENTROPY_BYTES) return bad('entropy');
  return { epochMs, entropy };
}

/** Sets the clock and mixes in fresh randomness; `receivedAt` as in {@link applyIdentity}. */
export function applyWake(wake: GuestWake, receivedAt: number, helper: RootHelper): Promise<void> {
  return helper.setClockAndEntropy(wake.epochMs + (performance.now() - receivedAt), Buffer.from(wake.entropy, 'base64'));
}

/** Checks an identity by hand: this runs between a clone's start and its first answer. Throws BAD_REQUEST naming the field, never its value. */
export function parseIdentity(body: Readonly<Record<string, unknown>>): GuestIdentity {
  const { token, hostname, machineId, timezone = 'UTC', nameservers = [], env = {} } = body;
  const { epochMs, entropy } = parseWake(body);
  if (typeof token !== 'string' || !/^[\x21-\x7e]{32,}$/.test(token)) return bad('token');
  if (typeof hostname !== 'string' || !HOSTNAME.test(hostname)) return bad('hostname');
  if (typeof machineId !== 'string' || !MACHINE_ID.test(machineId)) return bad('machineId');
  if (typeof timezone !== 'string' || !TIMEZONE.test(timezone)) return bad('timezone');
  if (!Array.isArray(nameservers) || !nameservers.every((item): item is string => typeof item === 'string' && ADDRESS.test(item))) return bad('nameservers');
  if (typeof env !== 'object' || env === null || !Object.entries(env).every(([name, value]) => ENV_NAME.test(name) && typeof value === 'string' && !value.includes('\0'))) return bad('env');
  return { token, hostname, machineId, epochMs, entropy, timezone, nameservers, env: env as Record<string, string> };
}

/** Writes a small system file, and carries on when the image has it read-only: a clone with a stale file beats no clone. */
function writeSystemFile(path: string, content: string): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    log(`${path}: ${messageOf(error)}`);
  }
}

function setTimezone(timezone: string): void {
  const zone = `/usr/share/zoneinfo/${timezone}`;
  try {
    if (readlinkSync('/etc/localtime') === zone) return;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EINVAL') log(`/etc/localtime: ${messageOf(error)}`);
  }
  try {
    statSync(zone);
    rmSync('/etc/localtime.vessel', { force: true });
    symlinkSync(zone, '/etc/localtime.vessel');
    renameSync('/etc/localtime.vessel', '/etc/localtime');
    writeSystemFile('/etc/timezone', `${timezone}\n`);
  } catch (error) {
    // An image without tzdata stays on UTC.
    log(`timezone ${timezone}: ${messageOf(error)}`);
  }
}

const shellQuote = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`;

function writeEnvFile(env: Readonly<Record<string, string>>, user: AgentUser): void {
  const lines = Object.entries(env).map(([name, value]) => `export ${name}=${shellQuote(value)}\n`);
  try {
    rmSync(ENV_FILE, { force: true });
    writeFileSync(ENV_FILE, `${SHELL_SCORE}${lines.join('')}`, { mode: 0o400 });
    chownSync(ENV_FILE, user.uid, user.gid);
  } catch (error) {
    log(`${ENV_FILE}: ${messageOf(error)}`);
  }
}

function setHostname(hostname: string): void {
  writeSystemFile('/proc/sys/kernel/hostname', hostname);
  writeSystemFile('/etc/hostname', `${hostname}\n`);
  let others: string[] = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback'];
  try {
    others = readFileSync('/etc/hosts', 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('127.0.1.1'));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') log(`/etc/hosts: ${messageOf(error)}`);
  }
  writeSystemFile('/etc/hosts', `${others.join('\n')}\n127.0.1.1 ${hostname}\n`);
}

/**
 * Makes a clone itself: clock, randomness, names, resolvers, time zone, environment. No process is started.
 * `receivedAt` is performance.now() when the request came, so that the clock counts the time since.
 */
export async function applyIdentity(identity: GuestIdentity, receivedAt: number, user: AgentUser, helper: RootHelper): Promise<void> {
  const clock = applyWake(identity, receivedAt, helper);
  setHostname(identity.hostname);
  writeSystemFile('/etc/machine-id', `${identity.machineId}\n`);
  if (identity.nameservers.length > 0) writeSystemFile('/etc/resolv.conf', identity.nameservers.map((item) => `nameserver ${item}\n`).join(''));
  setTimezone(identity.timezone);
  writeEnvFile(identity.env, user);
  await clock;
}
