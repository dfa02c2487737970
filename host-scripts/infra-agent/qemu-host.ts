import { VesselError } from '#shared/errors.ts';
import type { HostPaths } from '../paths.ts';
import type { HostParts } from './host-parts.ts';

export function qemuHost(_paths: HostPaths, _isRoot: boolean): HostParts {
  throw new VesselError('HOST_NOT_READY', 'the qemu driver is being written');
}
