const OPTIONS_WITH_VALUE = new Set(['-C', '--cwd', '-e', '--env']);

/**
 * Marks where the guest's command begins, so that its options are its own: `exec demo ls -la` means `exec demo -- ls -la`.
 * Options of Vessel may stand before and behind the project; the second operand begins the command. Other commands and a
 * line that has its `--` already are returned as they are.
 */
export function separateExecCommand(argv: readonly string[]): readonly string[] {
  const start = argv.findIndex((word) => !word.startsWith('-'));
  if (argv[start] !== 'exec') return argv;
  let operands = 0;
  for (let at = start + 1; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word === '--') return argv;
    if (word.startsWith('-') && word !== '-') {
      if (OPTIONS_WITH_VALUE.has(word)) at += 1;
      continue;
    }
    operands += 1;
    if (operands === 2) return [...argv.slice(0, at), '--', ...argv.slice(at)];
  }
  return argv;
}

/** `help project list` means `project list --help`; no word at all means `--help`; `help` alone stays commander's. */
export function helpOf(argv: readonly string[]): readonly string[] {
  if (argv.length === 0) return ['--help'];
  const [first, ...path] = argv;
  return first === 'help' && path.length > 0 && path.every((word) => !word.startsWith('-')) ? [...path, '--help'] : argv;
}
