import { VesselError } from '#shared/errors.ts';
import type { StreamItem } from '#shared/contract.ts';
import type { GuestExec, GuestExecRequest } from '../../ports/guest.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { requireRunning } from './save.ts';

/** The commands that doors run inside environments; each lives as long as its stream is read. */
export class Execs {
  readonly #context: EnvironmentContext;
  readonly #running = new Map<string, GuestExec>();

  constructor(context: EnvironmentContext) { this.#context = context; }

  /** Runs a command; ending the iteration early ends the command. */
  async *run(projectId: string, request: GuestExecRequest, signal: AbortSignal): AsyncGenerator<StreamItem<'exec.run'>, void> {
    requireRunning(this.#context, projectId);
    const exec = await this.#context.live.get(projectId).client.exec(request, { signal });
    const execId = crypto.randomUUID();
    this.#running.set(execId, exec);
    try {
      yield { kind: 'started', execId };
      for await (const { stream, data } of exec.output) yield { kind: stream, data: data.toString('base64') };
      yield { kind: 'exit', ...(await exec.exit) };
    } finally {
      this.#running.delete(execId);
      exec.close();
    }
  }

  /** Throws NOT_FOUND when the command has ended. */
  get(execId: string): GuestExec {
    const exec = this.#running.get(execId);
    if (exec === undefined) throw new VesselError('NOT_FOUND', 'That command has ended', { details: { execId } });
    return exec;
  }

  closeAll(): void { for (const exec of this.#running.values()) exec.close(); }
}
