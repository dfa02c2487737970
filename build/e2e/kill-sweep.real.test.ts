import { killSweep } from './kill-sweep.ts';

// Real microVMs: before every step and inside it; the boundary after a step differs from that before the next one only for the last.
killSweep({ driver: 'qemu', parts: 3, chosen: (point, points) => !point.endsWith('.after') || point === points.filter((other) => other.endsWith('.after')).at(-1) });
