import type { Command } from 'commander';

/** Words that may follow each command path, `''` being the program itself. */
function wordsByPath(program: Command): readonly (readonly [path: string, words: readonly string[]])[] {
  const walk = (command: Command, path: string): (readonly [string, readonly string[]])[] => {
    const children = command.commands.map((child) => child.name());
    const options = [...command.options, ...program.options].flatMap((option) => option.long ?? []);
    return [[path, [...children, ...new Set([...options, '--help'])]], ...command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`.trim()))];
  };
  return walk(program, '');
}

/** Completes commands, subcommands and options from a table; asks nothing of Vessel, so that Tab never waits. */
export function bashCompletion(program: Command): string {
  const cases = wordsByPath(program).map(([path, words]) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n');
  const groups = program.commands.filter((command) => command.commands.length > 0).map((command) => command.name()).join('|');
  return `_vessel() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) continue ;; esac
    if [ -z "$path" ]; then path="$word"; case "$word" in ${groups}) ;; *) break ;; esac
    else path="$path $word"; break; fi
  done
  case "$path" in
${cases}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _vessel vessel`;
}

/** zsh understands the bash script through its own compatibility layer. */
export function zshCompletion(program: Command): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashCompletion(program).replace('mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")', 'COMPREPLY=(${(f)"$(compgen -W "$words" -- "$current")"})')}`;
}
