/** Rows of notices and messages as what they mean; whole numbers are bigint. */
import type { Credits } from '../core/credits.ts'
import type { Channel, Message, MessageState } from './messages.ts'
import type { Mute, NoticeKind, NoticeState, StoredNotice } from './notices.ts'
import type { Row } from './rows.ts'

export function toNotice(row: Row): StoredNotice {
  return {
    id: Number(row.id),
    group: row.group_name as string,
    kind: row.kind as NoticeKind,
    line: Number(row.line),
    granted: row.granted as string,
    used: row.used as Credits,
    at: Number(row.at),
    state: row.state as NoticeState,
    ...(row.entry !== null && { entry: Number(row.entry) }),
  }
}

export function toMute(row: Row): Mute {
  return {
    group: row.group_name as string,
    at: Number(row.at),
    actor: row.actor as string,
    reason: row.reason as string,
  }
}

export function toMessage(row: Row): Message {
  return {
    id: Number(row.id),
    uid: row.uid as string,
    channel: row.channel as Channel,
    to: row.recipient as string,
    openedAt: Number(row.opened_at),
    state: row.state as MessageState,
    attempts: Number(row.attempts),
    ...(row.copy_to !== null && { copyTo: row.copy_to as string }),
    ...(row.attempted_at !== null && { attemptedAt: Number(row.attempted_at) }),
    ...(row.ended_at !== null && { endedAt: Number(row.ended_at) }),
    ...(row.problem !== null && { problem: row.problem as string }),
  }
}
