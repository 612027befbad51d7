/**
 * The names that the code gives to outcomes and states. Types cannot be listed when a program runs; these lists are made
 * so that the type check fails when one of them lacks a name or has one too many.
 */
import type { Rejection } from '#src/core/admit.ts'
import type { Decision } from '#src/core/decide.ts'
import type { Entry } from '#src/core/entries.ts'
import type { Contact, HoldKind, Note, NoticeState } from '#src/ledger/ledger.ts'

function namesOf<Name extends string>(names: Record<Name, true>): Name[] {
  return Object.keys(names) as Name[]
}

export const decisionKinds = namesOf<Decision['kind']>({
  opened: true,
  charged: true,
  unchanged: true,
  stale: true,
  late: true,
  outdated: true,
  rebased: true,
  redated: true,
  recovered: true,
  held: true,
})

/** In the order in which documents have them. */
export const holdKinds = namesOf<HoldKind>({
  'implausible growth': true,
  'unclear after a fall': true,
  'site jump': true,
  'unit switched': true,
  'series merged': true,
  'clock ahead': true,
  'too many series': true,
  'unknown group': true,
  'not assigned': true,
  'no grant': true,
  'used credits missing': true,
  refused: true,
})

export const contacts = namesOf<Contact>({
  new: true,
  active: true,
  'unknown group': true,
  'not assigned': true,
  'no grant': true,
})

export const rejections = namesOf<Rejection>({
  'unknown metric': true,
  unlisted: true,
  incomplete: true,
  unreadable: true,
  'too long': true,
  'too old': true,
})

export const entryKinds = namesOf<Entry['kind']>({ charge: true, adjustment: true, opening: true })

export const noteKinds = namesOf<Note['kind']>({
  opened: true,
  rebased: true,
  redated: true,
  recovered: true,
  conflict: true,
})

export const noticeStates = namesOf<NoticeState>({
  waiting: true,
  addressed: true,
  sent: true,
  muted: true,
  passed: true,
  'no recipient': true,
  'too late': true,
  'given up': true,
})
