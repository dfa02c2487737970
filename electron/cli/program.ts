import { Command } from 'commander';
import type { Use } from './command-kit.ts';
import { registerAccount } from './commands/account.ts';
import { registerEncryption } from './commands/encryption.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerEnvironment } from './commands/environment.ts';
import { registerExec } from './commands/exec.ts';
import { registerFsck } from './commands/fsck.ts';
import { registerHost } from './commands/host.ts';
import { registerInstallCli } from './commands/install-cli.ts';
import { registerLogs } from './commands/logs.ts';
import { registerOperations } from './commands/operations.ts';
import { registerOffline } from './commands/offline.ts';
import { registerPorts } from './commands/ports.ts';
import { registerProjectDrafts } from './commands/project-drafts.ts';
import { registerProjectFiles } from './commands/project-files.ts';
import { registerProjectHistory } from './commands/project-history.ts';
import { registerProjectSettings } from './commands/project-settings.ts';
import { registerProjectStore } from './commands/project-store.ts';
import { registerProject } from './commands/project.ts';
import { registerSystem } from './commands/system.ts';
import type { Context } from './context.ts';

/** The whole command line. `begin` makes the context of the one command that runs, `end` receives its exit code. */
export function buildProgram(version: string, begin: (globals: object) => Context, end: (exitCode: number) => void): Command {
  const program = new Command('vessel')
    .description('Disposable development environments in microVMs: open a project, work in VS Code, save it provably, leave nothing running.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .option('--json', 'print exactly one JSON object on stdout')
    .option('--verbose', 'show every log line while something runs')
    .option('--no-start', 'do not start Vessel when it does not run')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false });
  const use: Use = (handler) => async function action(this: Command) {
    const context = begin(this.optsWithGlobals());
    try {
      const code = await handler(context, this.processedArgs as never, this.opts() as never);
      end(code ?? 0);
    } finally {
      context.session.close();
    }
  };
  registerEnvironment(program, use);
  registerExec(program, use);
  registerPorts(program, use);
  registerLogs(program, use);
  const project = program.command('project').summary('create, list and change projects').description('Projects and their saved revisions.');
  registerProject(project, use);
  registerProjectHistory(project, use);
  registerProjectFiles(project, use);
  registerProjectDrafts(project, use);
  registerProjectSettings(project, use);
  registerProjectStore(project, use);
  registerAccount(program, use);
  registerEncryption(program, use);
  registerHost(program, use);
  registerFsck(program, use);
  registerOffline(program, use);
  registerOperations(program, use);
  registerSystem(program, use);
  registerCompletion(program, use);
  registerInstallCli(program, use);
  return program;
}
