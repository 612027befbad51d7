/**
 * What is sent to people and programs; see `../messages.ts` for what is promised. There are few of them: whoever writes them
 * waits for whoever else does.
 */
import { randomUUID } from 'node:crypto'
import { type Closing, isOfAll, NO_NEWS } from '../closing.ts'
import type { Channel, MessageCounts, MessageLedger, MessageState, Recipient } from '../messages.ts'
import { toMessage, toNotice } from '../noticeRows.ts'
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { one, type Sql } from './sql.ts'

export function createMessages(database: Database): MessageLedger {
  const { sql } = database
  const inTurn = <Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> =>
    database.transact(async (sql) => {
      await sql.all('SELECT pg_advisory_xact_lock($1, 0)', locks.messages)
      return work(sql)
    })

  return {
    addressNotice: (notice, { at, to, copyTo, state }) =>
      inTurn(async (sql) => {
        const address = "UPDATE notices SET state = $1 WHERE id = $2 AND state = 'waiting'"
        if ((await sql.run(address, state, notice)) === 0) return false
        const opened: { id: bigint; copyTo: string | null; channel: Channel }[] = []
        for (const recipient of to) {
          const message = await openMessage(sql, recipient, at)
          opened.push({ ...message, channel: recipient.channel })
          const link = 'INSERT INTO message_notices (message_id, notice_id) VALUES ($1, $2) ON CONFLICT DO NOTHING'
          await sql.run(link, message.id, notice)
        }
        const mails = opened.filter(({ channel }) => channel === 'mail')
        if (copyTo !== undefined && mails.length > 0 && mails.every((mail) => mail.copyTo === null)) {
          await sql.run('UPDATE messages SET copy_to = $1 WHERE id = $2', copyTo, mails[0]!.id)
        }
        return true
      }),
    async gathered({ now, openedBy, noneSince }, limit) {
      return (await sql.all(SELECT_GATHERED, now, openedBy, noneSince, limit)).map(toMessage)
    },
    async messageNotices(message) {
      return (await sql.all(SELECT_NOTICES, message)).map(toNotice)
    },
    closeMessage: (message, closing) => inTurn((sql) => close(sql, message, closing)),
    async dueMessages(channel, now, limit) {
      const rows = await sql.all(SELECT_DUE, now, limit, channel)
      return rows.map((row) => ({ ...toMessage(row), content: row.content as string }))
    },
    async beginAttempt(message, { at, retryAt }) {
      await inTurn((sql) => sql.run(BEGIN, at, retryAt, message))
    },
    async failAttempt(message, problem) {
      const fail = "UPDATE messages SET problem = $1 WHERE id = $2 AND state = 'ready'"
      await inTurn((sql) => sql.run(fail, problem, message))
    },
    endMessage: (message, { state, at, problem }) =>
      inTurn(async (sql) => {
        if ((await sql.run(END, state, at, problem, message)) === 0) return
        await sql.run(state === 'sent' ? NOTICES_SENT : NOTICES_GIVEN_UP, message)
      }),
    async tellings(notices) {
      const rows = await sql.all(SELECT_TELLINGS, notices)
      return rows.map((row) => ({ ...toMessage(row), notice: Number(row.notice_id) }))
    },
    async messageCounts() {
      const counts: { [C in Channel]?: { [S in MessageState]?: number } } = {}
      for (const row of await sql.all(
        'SELECT channel, state, count(*) AS count FROM messages GROUP BY channel, state',
      )) {
        const [channel, state] = [row.channel as Channel, row.state as MessageState]
        counts[channel] = { ...counts[channel], [state]: Number(row.count) }
      }
      return counts satisfies MessageCounts
    },
  }
}

async function close(sql: Sql, message: number, closing: Closing): Promise<boolean> {
  const { content, told, muted, overtaken = [], instead = [], at } = closing
  const all = (await sql.all<{ id: bigint }>(SELECT_NOTICES, message)).map(({ id }) => Number(id))
  if (!isOfAll(all, closing)) return false
  await sql.run(MUTE, muted)
  await sql.run(UNLINK, message, [...muted, ...overtaken])
  await sql.run(OVERTAKE, overtaken)
  await sql.run(REVIVE, instead)
  await sql.run(LINK, message, instead)
  if (told.length === 0) await sql.run(END, 'given up', at, NO_NEWS, message)
  else await sql.run("UPDATE messages SET state = 'ready', content = $1 WHERE id = $2", content, message)
  return true
}

const MUTE = "UPDATE notices SET state = 'muted' WHERE id = ANY($1::bigint[]) AND state = 'addressed'"

const UNLINK = 'DELETE FROM message_notices WHERE message_id = $1 AND notice_id = ANY($2::bigint[])'

const OVERTAKE = `UPDATE notices SET state = 'passed' WHERE id = ANY($1::bigint[]) AND state = 'addressed'
  AND NOT EXISTS (SELECT 1 FROM message_notices JOIN messages ON messages.id = message_id
    WHERE notice_id = notices.id AND messages.state <> 'given up')`

const REVIVE = "UPDATE notices SET state = 'addressed' WHERE id = ANY($1::bigint[]) AND state = 'passed'"

const LINK = `INSERT INTO message_notices (message_id, notice_id) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING`

/** The message to a recipient that still gathers, or a new one. */
async function openMessage(
  sql: Sql,
  { channel, to }: Recipient,
  at: number,
): Promise<{ id: bigint; copyTo: string | null }> {
  type Opened = { id: bigint; copy_to: string | null }
  const open = channel === 'mail' ? await one<Opened>(sql.all(SELECT_GATHERING, to)) : undefined
  const insert = `INSERT INTO messages (uid, channel, recipient, opened_at, state)
    VALUES ($1, $2, $3, $4, 'gathering') RETURNING id, copy_to`
  const row = open ?? (await one<Opened>(sql.all(insert, randomUUID(), channel, to, at)))
  return { id: row!.id, copyTo: row!.copy_to }
}

const SELECT_GATHERING = `SELECT id, copy_to FROM messages
  WHERE state = 'gathering' AND channel = 'mail' AND lower(recipient) = lower($1::text COLLATE "C")`

const SELECT_GATHERED = `SELECT * FROM messages AS this WHERE state = 'gathering' AND (channel = 'webhook' OR (
    (opened_at <= $2 OR opened_at > $1) AND NOT EXISTS (SELECT 1 FROM messages AS other
      WHERE lower(other.recipient) = lower(this.recipient) AND other.channel = 'mail'
      AND (other.state = 'ready' OR (other.state = 'sent' AND other.ended_at > $3 AND other.ended_at <= $1)))))
  ORDER BY id LIMIT $4`

const SELECT_NOTICES = `SELECT notices.* FROM message_notices JOIN notices ON notices.id = notice_id
  WHERE message_id = $1 ORDER BY notices.id`

const SELECT_DUE = `SELECT * FROM messages
  WHERE state = 'ready' AND channel = $3 AND (retry_at IS NULL OR retry_at <= $1 OR attempted_at > $1)
  ORDER BY attempts, id LIMIT $2`

const BEGIN = `UPDATE messages SET attempts = attempts + 1, attempted_at = $1, retry_at = $2
  WHERE id = $3 AND state = 'ready'`

const END = `UPDATE messages SET state = $1, ended_at = $2, problem = $3, content = NULL
  WHERE id = $4 AND state IN ('ready', 'gathering')`

const NOTICES_SENT = `UPDATE notices SET state = 'sent' WHERE state IN ('addressed', 'given up')
  AND id IN (SELECT notice_id FROM message_notices WHERE message_id = $1)`

const NOTICES_GIVEN_UP = `UPDATE notices SET state = 'given up' WHERE state = 'addressed'
  AND id IN (SELECT notice_id FROM message_notices WHERE message_id = $1)
  AND NOT EXISTS (SELECT 1 FROM message_notices JOIN messages ON messages.id = message_id
    WHERE notice_id = notices.id AND messages.state <> 'given up')`

const SELECT_TELLINGS = `SELECT messages.*, notice_id FROM message_notices JOIN messages ON messages.id = message_id
  WHERE notice_id = ANY($1::bigint[]) ORDER BY notice_id, messages.id`
