import { VesselError } from '#shared/vessel-error.ts';
import type { AgentConfig } from '../config.ts';
import type { GuestEnvironment } from '../guest/environment.ts';
import type { CallContext } from '../http/router.ts';
import type { ChangeCounter } from './change-counter.ts';

export class WorkspaceService {
  warm = false;

  constructor(_config: AgentConfig, _environment: GuestEnvironment, _argv: readonly string[], _changes: ChangeCounter) {}

  async start(): Promise<void> {
    this.warm = true;
  }

  async put(_context: CallContext): Promise<void> {
    throw new VesselError('INTERNAL', 'not yet');
  }

  async save(_context: CallContext): Promise<void> {
    throw new VesselError('INTERNAL', 'not yet');
  }

  stop(): void {
    this.warm = false;
  }
}
