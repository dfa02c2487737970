import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { AccountStatus } from '#shared/cloud-contract.ts';
import { VesselError } from '#shared/errors.ts';
import { askLine, canAsk } from '../ask.ts';
import { integer, type Use } from '../command-kit.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { count, formatAgo, formatBytes } from '../format.ts';
import { renderFacts } from '../table.ts';

const MEBIBYTE = 1024 ** 2;
const MAX_PLAN_MEBIBYTES = 1024 ** 2 * 100;
const PASSWORD_HELP = 'Without a terminal the password is the first line of stdin.';
type Plan = { readonly maxFile?: number; readonly total?: number; readonly unlimited?: boolean };

/** account: the cloud account of this computer; sync: everything now. */
export function registerAccount(program: Command, use: Use): void {
  const account = program.command('account').summary('the cloud that projects also rest in').description('The Supabase project (or S3 bucket) that projects rest in besides this computer, and who is signed in.');

  account.command('status').summary('show the account and what is still only here').description('Needs no network.')
    .action(use(async (context) => {
      const status = await context.session.call('account.status', {});
      show(context, status);
    }));

  account.command('configure').summary('set the Supabase project').description('Sets the address and the publishable key of the Supabase project; its migrations must have been applied (docs/cloud.md).')
    .argument('[url]', 'https://<project>.supabase.co')
    .argument('[publishable-key]', 'sb_publishable_…; no secret')
    .option('--forget', 'forget the project and sign out')
    .action(use(async (context, [url, publishableKey]: [string | undefined, string | undefined], options: { readonly forget?: boolean }) => {
      if (options.forget !== true && (url === undefined || publishableKey === undefined)) throw new VesselError('BAD_REQUEST', 'Give the address and the publishable key, or --forget');
      show(context, await context.session.call('account.configure', { project: url === undefined || publishableKey === undefined ? null : { url, publishableKey } }));
    }));

  account.command('bucket').summary('set the S3 bucket').description('Sets a bucket of any S3-compatible server with conditional writes. Without a terminal the secret key is the first line of stdin.')
    .argument('[endpoint]', 'https://s3.example.org')
    .argument('[bucket]', 'its name')
    .option('--access-key <id>', 'id of the access key')
    .option('--region <region>', 'region of the bucket', 'us-east-1')
    .option('--prefix <prefix>', 'where in the bucket', 'vessel/')
    .option('--forget', 'forget the bucket and its key')
    .action(use(async (context, [endpoint, bucket]: [string | undefined, string | undefined], options: { readonly accessKey?: string; readonly region: string; readonly prefix: string; readonly forget?: boolean }) => {
      if (options.forget === true) { show(context, await context.session.call('account.configureBucket', { bucket: null })); return; }
      const { accessKey: accessKeyId, region, prefix } = options;
      if (endpoint === undefined || bucket === undefined || accessKeyId === undefined) throw new VesselError('BAD_REQUEST', 'Give the endpoint, the bucket and --access-key, or --forget');
      const secretAccessKey = await secret(context, 'Secret access key');
      show(context, await context.session.call('account.configureBucket', { bucket: { endpoint, bucket, region, prefix, accessKeyId, secretAccessKey } }));
    }));

  account.command('sign-up').summary('make an account and sign in').description(PASSWORD_HELP)
    .argument('<email>', 'your e-mail address')
    .action(use(async (context, [email]: [string]) => {
      const { confirm, status } = await context.session.call('account.signUp', { email, password: await secret(context, 'New password') });
      if (confirm) context.output.result({ confirm, ...status }, () => `Confirm ${email} by the e-mail that was sent, then: vessel account sign-in ${email}`);
      else show(context, status);
    }));

  account.command('sign-in').summary('sign in').description(`${PASSWORD_HELP} Refused while changes of another account wait here.`)
    .argument('<email>', 'your e-mail address')
    .option('--leave', 'leave the other account’s projects on this computer only')
    .action(use(async (context, [email]: [string], options: { readonly leave?: boolean }) => {
      show(context, await context.session.call('account.signIn', { email, password: await secret(context, 'Password'), leave: options.leave === true }));
    }));

  account.command('sign-out').summary('sign out; projects stay on this computer').description('Forgets the session. What is owed to the cloud goes up when the same account signs in again.')
    .action(use(async (context) => { show(context, await context.session.call('account.signOut', {})); }));

  account.command('reset-password').summary('get a new password by e-mail').description('Sends a code; with --code it is used, and a new password is asked for.')
    .argument('<email>', 'your e-mail address')
    .option('--code <code>', 'the code of the e-mail')
    .action(use(async (context, [email]: [string], options: { readonly code?: string }) => {
      if (options.code === undefined) {
        await context.session.call('account.resetPassword', { email });
        context.output.result({ sent: true, email }, () => `If ${email} has an account, a code is on its way. Then: vessel account reset-password ${email} --code <code>`);
        return;
      }
      show(context, await context.session.call('account.finishReset', { email, code: options.code, password: await secret(context, 'New password') }));
    }));

  account.command('plan').summary('say what the cloud plan takes').description('Archives that do not fit are refused before they are sent. The default is Supabase’s free plan: 50 MiB for a file, 1 GiB in all.')
    .option('--max-file <mebibytes>', 'the largest file', integer(1, MAX_PLAN_MEBIBYTES))
    .option('--total <mebibytes>', 'all files together', integer(1, MAX_PLAN_MEBIBYTES))
    .option('--unlimited', 'no limits')
    .action(use(async (context, _args, options: Plan) => {
      const { plan } = await context.session.call('account.status', {});
      const next = options.unlimited === true ? { maxFileBytes: null, totalBytes: null } : {
        maxFileBytes: options.maxFile === undefined ? plan.maxFileBytes : options.maxFile * MEBIBYTE, totalBytes: options.total === undefined ? plan.totalBytes : options.total * MEBIBYTE,
      };
      show(context, await context.session.call('account.setPlan', next));
    }));

  account.command('default-store').summary('say where new projects rest').description('Projects that exist stay where they are; `vessel project store` moves them.')
    .addArgument(program.createArgument('<store>', 'besides this computer').choices(['local', 'supabase', 's3']))
    .action(use(async (context, [store]: ['local' | 'supabase' | 's3']) => { show(context, await context.session.call('account.setDefaultStore', { store })); }));

  account.command('delete-data').summary('remove everything of the account from the cloud').description('Fetches what is only in the cloud, then removes all projects and archives there. Projects stay on this computer.')
    .addOption(new Option('--confirm <email>', 'repeat the e-mail address of the account').makeOptionMandatory())
    .action(use(async (context, _args, options: { readonly confirm: string }) => {
      const removed = await context.session.call('account.deleteData', { confirm: options.confirm });
      context.output.result(removed, () => `Removed ${count(removed.projects, 'project')} and ${count(removed.objects, 'archive')} from the cloud. They are still on this computer.`);
    }));

  program.command('sync').summary('send and fetch everything now').description('Tries everything that is owed, whatever failed before, and asks for what other devices did. Exit code 1 when something is still owed.')
    .action(use(async (context) => {
      const report = await context.session.call('sync.now', {});
      context.output.result(report, () => [`${count(report.pushed, 'change')} sent, ${count(report.pulled, 'project')} looked at, ${report.pending} still only here`, ...(report.error === null ? [] : [`${report.error.message}\n  fix  ${report.error.hint}`])].join('\n'));
      return report.pending > 0 || report.error !== null ? EXIT.failed : EXIT.ok;
    }));

  program.command('export-all').summary('write every revision of every project into a folder').description('With what is known of each project as JSON. The folder must be empty or not exist.')
    .argument('<folder>', 'where to')
    .action(use(async (context, [folder]: [string]) => {
      const done = await context.session.call('projects.exportAll', { path: resolve(context.runtime.cwd, folder) });
      context.output.result(done, () => `${count(done.archives, 'archive')} of ${count(done.projects, 'project')}, ${formatBytes(done.bytes)}, in ${done.path}`);
    }));
}

function show({ output, runtime }: Context, status: AccountStatus): void {
  const { state, url, email, bucket, device, defaultStore, plan, usedBytes, pending, lastSyncAt, error } = status;
  const limit = (bytes: number | null): string => (bytes === null ? 'no limit' : formatBytes(bytes));
  output.result(status, () => renderFacts([
    ['state', { text: state, format: state === 'online' ? 'green' : 'yellow' }],
    ['cloud', url ?? '-'],
    ['signed in', email ?? '-'],
    ...(bucket === null ? [] : [['bucket', `${bucket.bucket} at ${bucket.endpoint}`] as const]),
    ['this device', device.name],
    ['new projects', defaultStore === 'local' ? 'this computer only' : `also ${defaultStore}`],
    ['plan', `${limit(plan.maxFileBytes)} for a file, ${limit(plan.totalBytes)} in all${usedBytes === null ? '' : `, ${formatBytes(usedBytes)} used`}`],
    ['only here', count(pending, 'change')],
    ['last sync', formatAgo(lastSyncAt, runtime.now())],
    ...(error === null ? [] : [['problem', { text: `${error.message} (${error.code}). ${error.hint}`, format: 'red' }] as const]),
  ], output.style));
}

/** A secret from a person at a terminal, else from the first line of stdin; never from the command line, which every process can read. */
export async function secret({ runtime, output }: Context, label: string): Promise<string> {
  if (canAsk(runtime) && !output.json) {
    const typed = await askLine(runtime, label, false, new AbortController().signal);
    if (typed === null || typed === '') throw new VesselError('CANCELLED');
    return typed;
  }
  let text = '';
  for await (const chunk of runtime.stdin as AsyncIterable<Buffer | string>) {
    text += chunk.toString();
    if (text.includes('\n')) break;
  }
  const [line = ''] = text.split(/\r?\n/, 1);
  if (line === '') throw new VesselError('BAD_REQUEST', `${label}: nothing on stdin`, { hint: 'Pipe it in, or run this in a terminal.' });
  return line;
}
