import { busySweep, killSweep } from './kill-sweep.ts';

// Guests as plain processes: everything above the hypervisor, at every single boundary.
killSweep({ driver: 'process', parts: 3, chosen: () => true });
busySweep('process');
