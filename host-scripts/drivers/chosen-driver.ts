import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DriverNameSchema } from '#shared/host-protocol.ts';
import type { DriverName } from '#shared/host-protocol.ts';
import { readFileOrNull, writeFileAtomic } from '../system/atomic-file.ts';

const SettingSchema = z.object({ driver: DriverNameSchema });
const pathOf = (state: string): string => join(state, 'driver.json');

/** The driver that this host was provisioned for; QEMU runs everywhere, so it is what is used otherwise. */
export async function hostDriver(state: string): Promise<DriverName> {
  const text = await readFileOrNull(pathOf(state));
  return text === null ? 'qemu' : SettingSchema.parse(JSON.parse(text)).driver;
}

/** Makes a driver the one of this host, whoever starts its agent. */
export async function rememberDriver(state: string, driver: DriverName): Promise<void> {
  await mkdir(state, { recursive: true, mode: 0o711 });
  await writeFileAtomic(pathOf(state), `${JSON.stringify({ driver })}\n`, { mode: 0o644, durable: false });
}
