import { WebSocket } from 'ws';
import { TEST_TOKEN } from './start-agent.ts';

type ServerMessage = { readonly type: string; readonly code?: number | null; readonly signal?: string | null; readonly pid?: number; readonly error?: { readonly code: string } };

/** A started exec WebSocket that gathers what it sees. */
export class ExecClient {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  stdout = '';
  stderr = '';
  stdoutBytes = 0;
  readonly closed: Promise<void>;

  constructor(port: number, start: Readonly<Record<string, unknown>>) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/_vessel/v1/exec`, { headers: { authorization: `Bearer ${TEST_TOKEN}` } });
    this.socket.on('open', () => this.socket.send(JSON.stringify({ type: 'start', ...start })));
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) this.messages.push(JSON.parse(data.toString()) as ServerMessage);
      else if (data[0] === 1) {
        this.stdoutBytes += data.length - 1;
        if (this.stdout.length < 1e6) this.stdout += data.subarray(1).toString();
      } else this.stderr += data.subarray(1).toString();
    });
    this.closed = new Promise((resolve) => { this.socket.on('close', () => resolve()); });
  }

  get exit(): ServerMessage | undefined {
    return this.messages.find(({ type }) => type === 'exit');
  }

  send(message: Readonly<Record<string, unknown>>): void {
    this.socket.send(JSON.stringify(message));
  }

  input(text: string): void {
    this.socket.send(Buffer.concat([Buffer.of(0), Buffer.from(text)]));
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + 15_000;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`waited too long; saw ${JSON.stringify(this.messages)} ${this.stdout} ${this.stderr}`);
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
  }
}
