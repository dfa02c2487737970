import WebSocket from 'ws';
import type { Vm } from '#shared/host-protocol.ts';
import { EXEC_FRAME, ExecServerMessageSchema, GUEST_API_PREFIX } from '#shared/guest-protocol.ts';

export type ExecResult = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a command in a guest, as the workspace's user, and collects what it prints. */
export function execInGuest(vm: Pick<Vm, 'address' | 'token'>, argv: readonly string[]): Promise<ExecResult> {
  if (vm.address === null) return Promise.reject(new Error('the VM has no address'));
  const socket = new WebSocket(`ws://${vm.address.host}:${vm.address.port}${GUEST_API_PREFIX}/exec`, { headers: { authorization: `Bearer ${vm.token ?? ''}` } });
  const output = { stdout: '', stderr: '' };
  return new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'start', argv })));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the guest closed the command early')));
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (binary) {
        const stream = data[0] === EXEC_FRAME.stdout ? 'stdout' : 'stderr';
        output[stream] += data.subarray(1).toString('utf8');
        return;
      }
      const message = ExecServerMessageSchema.parse(JSON.parse(data.toString('utf8')));
      if (message.type === 'exit') resolve({ code: message.code, ...output });
      if (message.type === 'error') reject(new Error(JSON.stringify(message.error)));
      if (message.type !== 'started') socket.close();
    });
  });
}
