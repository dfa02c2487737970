import { z } from 'zod';

/**
 * The bodies of firecracker's API as its specification has them (swagger, v1.16): unknown fields are refused, as there. Only what a driver like ours may
 * send is here.
 */
const name = z.string().regex(/^[A-Za-z0-9_]+$/, 'API Resource IDs can only contain alphanumeric characters and underscores.');
const rateLimiter = z.strictObject({ bandwidth: z.unknown().optional(), ops: z.unknown().optional() });

export const SCHEMAS = {
  machineConfig: z.strictObject({ vcpu_count: z.number().int().min(1).max(32), mem_size_mib: z.number().int().positive(), smt: z.boolean().default(false), track_dirty_pages: z.boolean().default(false), cpu_template: z.string().optional(), huge_pages: z.string().optional() }),
  bootSource: z.strictObject({ kernel_image_path: z.string(), initrd_path: z.string().optional(), boot_args: z.string().optional() }),
  drive: z.strictObject({
    drive_id: name, path_on_host: z.string(), is_root_device: z.boolean(), is_read_only: z.boolean().optional(), partuuid: z.string().optional(), cache_type: z.enum(['Unsafe', 'Writeback']).optional(),
    io_engine: z.enum(['Sync', 'Async']).optional(), rate_limiter: rateLimiter.optional(), socket: z.string().optional(),
  }),
  network: z.strictObject({ iface_id: name, host_dev_name: z.string(), guest_mac: z.string().regex(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i).optional(), rx_rate_limiter: rateLimiter.optional(), tx_rate_limiter: rateLimiter.optional() }),
  vsock: z.strictObject({ guest_cid: z.number().int().min(3), uds_path: z.string(), vsock_id: z.string().optional() }),
  entropy: z.strictObject({ rate_limiter: rateLimiter.optional() }),
  balloon: z.strictObject({ amount_mib: z.number().int().min(0), deflate_on_oom: z.boolean(), stats_polling_interval_s: z.number().int().min(0).optional(), free_page_hinting: z.boolean().optional(), free_page_reporting: z.boolean().optional() }),
  action: z.strictObject({ action_type: z.enum(['InstanceStart', 'FlushMetrics', 'SendCtrlAltDel']) }),
  vm: z.strictObject({ state: z.enum(['Paused', 'Resumed']) }),
  create: z.strictObject({ snapshot_type: z.enum(['Full', 'Diff']).default('Full'), snapshot_path: z.string(), mem_file_path: z.string() }),
  load: z.strictObject({
    snapshot_path: z.string(), mem_file_path: z.string().optional(), mem_backend: z.strictObject({ backend_type: z.enum(['File', 'Uffd']), backend_path: z.string() }).optional(),
    enable_diff_snapshots: z.boolean().optional(), track_dirty_pages: z.boolean().optional(), resume_vm: z.boolean().optional(), clock_realtime: z.boolean().optional(),
    network_overrides: z.array(z.strictObject({ iface_id: name, host_dev_name: z.string() })).optional(), vsock_override: z.strictObject({ uds_path: z.string() }).optional(),
  }),
} as const;
