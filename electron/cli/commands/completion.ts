import { Argument, type Command } from 'commander';
import type { Use } from '../command-kit.ts';
import { bashCompletion, zshCompletion } from '../completion-script.ts';

export function registerCompletion(program: Command, use: Use): void {
  program.command('completion').summary('print a completion script for a shell')
    .description('Prints a script that completes commands and options. For bash: source <(vessel completion bash)')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh']))
    .action(use(async (context, [shell]: ['bash' | 'zsh']) => {
      const script = shell === 'bash' ? bashCompletion(program) : zshCompletion(program);
      context.output.result({ shell, script }, () => script);
    }));
}
