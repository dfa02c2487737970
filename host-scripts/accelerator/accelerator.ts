import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { measureTscKhz } from '../../images/recipe/index.ts';
import type { GoldenImage } from '../../images/recipe/index.ts';
import type { Accelerator } from '../drivers/qemu/machine-arguments.ts';
import { readFileOrNull, writeFileAtomic } from '../system/atomic-file.ts';
import { hostBootId } from '../system/process-identity.ts';
import type { RunUser } from '../system/run-user.ts';
import { KVM_DEVICE, kvmFingerprint, kvmRefusal, kvmUser } from './kvm-access.ts';
import { probeKvm } from './probe-kvm.ts';

const VerdictSchema = z.object({
  bootId: z.string(), user: z.string(), kind: z.enum(['kvm', 'tcg']), why: z.string(), probedAt: z.number(),
  /** Frequency of the host's time stamp counter, which an emulated guest must be told; null under KVM. */
  tscKhz: z.number().nullable(),
  /** The device as it was, see {@link kvmFingerprint}; absent from verdicts of before it counted. */
  device: z.string().nullish(),
});
export type AcceleratorVerdict = { readonly kind: Accelerator; readonly why: string; readonly probedAt: number; readonly tscKhz: number | null };

const verdictPath = (cache: string): string => join(cache, 'accelerator.json');
const nameOf = (user: RunUser | null): string => user?.name ?? `uid ${process.getuid?.() ?? 0}`;

/** What the probe found since the host booted, for this user and these rights to the device; null when it has not been asked. */
export async function rememberedVerdict(cache: string, user: RunUser | null, device = KVM_DEVICE): Promise<AcceleratorVerdict | null> {
  const text = await readFileOrNull(verdictPath(cache));
  if (text === null) return null;
  try {
    const verdict = VerdictSchema.parse(JSON.parse(text));
    return verdict.bootId === await hostBootId() && verdict.user === nameOf(user) && verdict.device === await kvmFingerprint(user, device) ? verdict : null;
  } catch (error) {
    // A damaged note is as good as none: the probe is simply repeated.
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

/** What KVM does for machines, tried as a machine's user. A device that may not be opened is told from one that runs nothing. */
async function askKvm(device: string | null, image: Pick<GoldenImage, 'kernel' | 'initrd'>, user: RunUser | null, signal: AbortSignal): Promise<{ readonly works: boolean; readonly why: string }> {
  if (device === null) return { works: false, why: 'this host has no /dev/kvm' };
  const machine = await kvmUser(user);
  const refusal = await kvmRefusal(machine);
  return refusal === null ? probeKvm(image, machine, signal) : { works: false, why: refusal };
}

/** The accelerator that really runs guests on this host; probed once per boot of the host, and again when `/dev/kvm` was changed. */
export async function decideAccelerator(cache: string, image: Pick<GoldenImage, 'kernel' | 'initrd'>, user: RunUser | null, signal: AbortSignal): Promise<AcceleratorVerdict> {
  const remembered = await rememberedVerdict(cache, user);
  if (remembered !== null) return remembered;
  const device = await kvmFingerprint(user);
  const probe = await askKvm(device, image, user, signal);
  await mkdir(cache, { recursive: true, mode: 0o711 });
  const tscKhz = probe.works ? null : await measureTscKhz(cache);
  const verdict = {
    device, tscKhz, bootId: await hostBootId(), user: nameOf(user), kind: probe.works ? 'kvm' : 'tcg', why: probe.works ? probe.why : `${probe.why}; guests run in emulation`, probedAt: Date.now(),
  } as const;
  await writeFileAtomic(verdictPath(cache), `${JSON.stringify(verdict)}\n`, { mode: 0o644, durable: false });
  return verdict;
}
