import { startAgent } from './agent.ts';
import { DEFAULT_CONFIG_PATH, readAgentConfig } from './config.ts';
import { log, messageOf } from './log.ts';
import { runWorker } from './workspace/worker.ts';

/** Argument that turns this program into the workspace worker. */
const WORKER_FLAG = '--worker';

if (process.argv[2] === WORKER_FLAG) {
  await runWorker();
} else {
  try {
    const config = readAgentConfig(process.argv[2] ?? DEFAULT_CONFIG_PATH);
    const agent = await startAgent(config, [process.execPath, ...process.execArgv, import.meta.filename, WORKER_FLAG]);
    process.stdout.write(`listening ${agent.port}\n`);
    let ending = false;
    const end = (): void => {
      if (ending) return;
      ending = true;
      agent.stop().then(() => process.exit(0), (error: unknown) => {
        log(messageOf(error));
        process.exit(1);
      });
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
    process.on('uncaughtException', (error) => log(`uncaught: ${error.stack ?? error.message}`));
    process.on('unhandledRejection', (error) => log(`unhandled: ${messageOf(error)}`));
    agent.ready.then(() => process.stdout.write('ready\n'), (error: unknown) => log(messageOf(error)));
  } catch (error) {
    log(messageOf(error));
    process.exit(1);
  }
}
