/** The modifier as it is printed on this machine's keyboard. */
export const MODIFIER = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

export const SHORTCUTS: readonly { readonly keys: readonly string[]; readonly does: string }[] = [
  { keys: [MODIFIER, 'K'], does: 'Go to anything: projects, screens, actions' },
  { keys: ['/'], does: 'Search the projects' },
  { keys: ['N'], does: 'New project' },
  { keys: ['I'], does: 'Import a zip or a folder' },
  { keys: ['↑', '↓', '←', '→'], does: 'Move between the project cards' },
  { keys: ['Enter'], does: 'Open or resume the chosen project' },
  { keys: ['G', 'P'], does: 'Go to the projects' },
  { keys: ['G', 'A'], does: 'Go to the activity' },
  { keys: ['G', 'H'], does: 'Go to the hosts' },
  { keys: ['G', 'S'], does: 'Go to the settings' },
  { keys: ['T'], does: 'Switch between light and dark' },
  { keys: ['Esc'], does: 'Close what is open; in a console, back to the projects' },
  { keys: ['?'], does: 'This list' },
];
