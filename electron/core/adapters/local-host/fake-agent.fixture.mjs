// A stand-in for infra-agent that speaks the protocol and misbehaves on request (the vm id says how).
import { createInterface } from 'node:readline';
const send = (message) => process.stdout.write(`${JSON.stringify({ v: Number(process.env.FAKE_VERSION ?? 1), ...message })}\n`);
const vm = (id, state) => ({ id, driver: 'process', state, tier: 'medium', address: { host: '127.0.0.1', port: 1 }, token: 't'.repeat(32), startKind: 'clone', createdAt: 1, startedAt: 1, imageKey: 'k', pid: 1, problem: null });
process.stderr.write(`started with token=${'s3cret'.repeat(3)}\n`);
createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.type === 'cancel') { send({ type: 'error', id: message.id, error: { code: 'CANCELLED', message: 'cancelled', hint: '', retryable: true, details: {}, logTail: [] } }); return; }
  const { id, method, params } = message;
  if (method === 'hello') send({ type: 'result', id, result: { v: 1, agentVersion: process.env.VESSEL_HOME ?? '?', pid: process.pid } });
  else if (method === 'list') send({ type: 'result', id, result: { vms: [] } });
  else if (method === 'inspect' && params.id === 'garbage') { process.stdout.write('this is not JSON\n'); send({ type: 'result', id, result: { nonsense: true } }); }
  else if (method === 'inspect' && params.id === 'missing') send({ type: 'error', id, error: { code: 'VM_NOT_FOUND', message: 'no such vm', hint: 'h', retryable: false, details: { id: params.id }, logTail: ['tail'] } });
  else if (method === 'inspect' && params.id === 'die') { process.stderr.write('about to die\n'); process.exitCode = 3; process.stdin.destroy(); setTimeout(() => process.exit(3), 20); }
  else if (method === 'inspect' && params.id === 'silent') return;
  else if (method === 'inspect') { send({ type: 'stage', id, stage: 'looking', progress: 0.5 }); send({ type: 'log', id, level: 'info', text: 'seen' }); send({ type: 'vm', vm: vm('other', 'stopped') }); send({ type: 'result', id, result: vm(params.id, 'running') }); }
}).on('close', () => process.exit(0));
