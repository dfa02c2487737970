import { Option, type Command } from 'commander';
import { TIERS, type ProjectSettings, type Tier } from '#shared/project.ts';
import { PROJECT_HELP } from '../arguments.ts';
import { integer, type Use } from '../command-kit.ts';
import { livingProject } from '../context.ts';
import { renderFacts } from '../table.ts';

type Options = {
  readonly tier?: Tier;
  readonly autosave?: number;
  readonly idle?: number;
  readonly exclude?: ProjectSettings['exclude']['preset'];
  readonly rule?: readonly string[];
  readonly clearRules?: boolean;
};

export function registerProjectSettings(group: Command, use: Use): void {
  group.command('settings').summary('show or change the settings of a project')
    .description('Shows the settings of a project, after changing those that are given.')
    .argument('<project>', PROJECT_HELP)
    .addOption(new Option('--tier <tier>', 'size of its machine, from the next open on').choices(Object.keys(TIERS)))
    .option('--autosave <minutes>', 'save when files changed; 0 switches it off', integer(0, 1440))
    .option('--idle <minutes>', 'save and stop after this long without use; 0 switches it off', integer(0, 10_080))
    .addOption(new Option('--exclude <preset>', 'what a save leaves out').choices(['safe', 'lean', 'everything']))
    .option('--rule <pattern>', 'add a gitignore-style rule of what to leave out (`!` re-includes); repeatable', (value, before: readonly string[] = []) => [...before, value])
    .option('--clear-rules', 'forget the rules there are')
    .action(use(async (context, [query]: [string], options: Options) => {
      const found = await livingProject(context, query);
      const change = changeOf(options, found.settings);
      const project = change === null ? found : await context.session.call('projects.update', { projectId: found.id, settings: change });
      const { tier, autosaveMinutes, idleMinutes, exclude } = project.settings;
      context.output.result({ id: project.id, settings: project.settings }, () => renderFacts([
        ['tier', `${tier} (${TIERS[tier].vcpus} vCPU, ${TIERS[tier].memoryMiB} MiB)`],
        ['autosave', autosaveMinutes === 0 ? 'off' : `every ${autosaveMinutes} min`],
        ['idle stop', idleMinutes === 0 ? 'off' : `after ${idleMinutes} min`],
        ['left out', exclude.preset],
        ['rules', exclude.rules.length === 0 ? '-' : exclude.rules.join('  ')],
      ], context.output.style));
    }));
}

/** The fields that change, or null when only a look was asked for. */
function changeOf(options: Options, now: ProjectSettings): Partial<ProjectSettings> | null {
  const rules = [...(options.clearRules === true ? [] : now.exclude.rules), ...(options.rule ?? [])];
  const change: Partial<ProjectSettings> = {
    ...(options.tier === undefined ? {} : { tier: options.tier }),
    ...(options.autosave === undefined ? {} : { autosaveMinutes: options.autosave }),
    ...(options.idle === undefined ? {} : { idleMinutes: options.idle }),
    ...(options.exclude === undefined && options.rule === undefined && options.clearRules === undefined ? {} : { exclude: { preset: options.exclude ?? now.exclude.preset, rules } }),
  };
  return Object.keys(change).length === 0 ? null : change;
}
