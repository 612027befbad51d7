/** What people were told about their credits. */
import type { Channel, MessageState } from '../../ledger/messages.ts'
import type { NoticeKind, NoticeState } from '../../ledger/notices.ts'
import { decimal, fields, flag, instant, list, named, nullable, type Schema, text, whole, word } from '../schema.ts'
import { groupName, page } from './common.ts'

const kinds = ['threshold', 'runs out'] as const satisfies readonly NoticeKind[]
const noticeStates = [
  'sent',
  'waiting',
  'addressed',
  'muted',
  'passed',
  'no recipient',
  'too late',
  'given up',
] as const satisfies readonly NoticeState[]
const channels = ['mail', 'webhook'] as const satisfies readonly Channel[]
const messageStates = ['sent', 'gathering', 'ready', 'given up'] as const satisfies readonly MessageState[]

export const noticeState = word('What became of it', noticeStates)
export const channel = word('How it is sent', channels)
export const messageState = word('Gathers notices, is tried, was sent, or never will be', messageStates)

const message = named(
  'Message',
  fields({
    id: text('The same each time it is sent', '8d3f0b0e-6c2e-4a57-9a43-0b6a4f2f9a51'),
    channel,
    to: text('A mail address, or the name of a webhook', 'ada@example.org'),
    copy_to: nullable(text('Who gets a copy', 'support@example.org')),
    state: messageState,
    attempts: whole('How often it was tried', 1, { minimum: 0 }),
    tried_at: nullable(instant('When it was tried last')),
    ended_at: nullable(instant('When it was sent or given up')),
    problem: nullable(text('Why it was not sent', 'The mailbox is full.')),
  }),
)

const notice = named(
  'Notice',
  fields({
    id: whole('The number of the notice', 5, { minimum: 1 }),
    group: groupName,
    kind: word('A part of the grant was used, or at this pace it will be soon', kinds),
    line: whole('Percent of the grant, or days', 80),
    granted: decimal('The grant then', '200'),
    used: decimal('Used credits then', '160.5'),
    at: instant('When it came up'),
    entry: nullable(whole('The number of the entry that crossed the line', 4_711, { minimum: 1 })),
    state: noticeState,
    messages: list(message, { description: 'Who is told of it' }),
  }),
)

const mute = fields(
  { at: instant('When'), actor: text('Who', 'erika'), reason: text('Why', 'They asked for it') },
  {},
  { description: 'That its people are told nothing' },
)

export const noticesPage = fields({
  notices: list(notice),
  mute: nullableOf(mute, 'Null if the group is told, or none is asked for'),
  next: page('/api/notices?before=5&limit=100'),
})

export const muted = fields({ group: groupName, muted: flag('Yes', true), mute })

export const unmuted = fields({
  group: groupName,
  muted: flag('No', false),
  mute: { type: 'null', description: 'Its people are told again' },
})

export const mailHtml = text('A page', '<!doctype html><title>Your credits</title>')
export const mailText = text('Its subject and its text', 'Subject: Your credits\n\nDear …')

function nullableOf(schema: Schema, description: string): Schema {
  return { ...nullable(schema), description }
}
