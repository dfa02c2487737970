import { expect, it } from 'vitest';
import { createTickets, TICKET_GRACE_MS, TICKET_LIFETIME_MS } from './tickets.ts';

const HOST = 'a-1234.localhost';
function make() {
  const clock = { now: 1_000_000 };
  return { clock, tickets: createTickets(() => clock.now) };
}

it('a ticket of a server before this one, of another host or with a changed part opens nothing', () => {
  const { tickets, clock } = make();
  const ticket = tickets.issue(HOST);
  const [expires, nonce, signature] = ticket.split('.');
  expect(createTickets(() => clock.now).redeem(ticket, HOST)).toBe(false);
  expect(tickets.redeem(ticket, 'b-1234.localhost')).toBe(false);
  expect(tickets.redeem(`${Number(expires) + 1}.${nonce}.${signature}`, HOST)).toBe(false);
  expect(tickets.redeem(`${ticket}.x`, HOST)).toBe(false);
  expect(tickets.redeem('', HOST)).toBe(false);
});

it('a ticket works once; a second use right after the first is the same browser loading twice', () => {
  const { tickets, clock } = make();
  const ticket = tickets.issue(HOST);
  expect(tickets.redeem(ticket, HOST)).toBe(true);
  clock.now += TICKET_GRACE_MS;
  expect(tickets.redeem(ticket, HOST)).toBe(true);
  clock.now += 1;
  expect(tickets.redeem(ticket, HOST)).toBe(false);
});

it('a ticket is dead after ten minutes', () => {
  const { tickets, clock } = make();
  const ticket = tickets.issue(HOST);
  clock.now += TICKET_LIFETIME_MS + 1;
  expect(tickets.redeem(ticket, HOST)).toBe(false);
});
