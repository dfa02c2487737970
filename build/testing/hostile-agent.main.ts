import { runHostileAgent } from './hostile-agent.ts';

runHostileAgent(process.argv[2] ?? '');
