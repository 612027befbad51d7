/** What is sent to people and programs; see `../messages.ts` for what is promised. */
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { isOfAll, NO_NEWS } from '../closing.ts'
import type { Channel, MessageCounts, MessageLedger, MessageState, Recipient } from '../messages.ts'
import { toMessage, toNotice } from '../noticeRows.ts'
import type { Watch } from './trouble.ts'

export function createMessages(
  db: DatabaseSync,
  watch: Watch,
  inTransaction: <Result>(work: () => Result) => Result,
): MessageLedger {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return statement
  }
  const addressed = db.prepare("UPDATE notices SET state = ? WHERE id = ? AND state = 'waiting'")
  const selectGathering = db.prepare(`SELECT id, copy_to FROM messages
    WHERE state = 'gathering' AND channel = 'mail' AND recipient = ?`)
  const insertMessage = db.prepare(`INSERT INTO messages (uid, channel, recipient, opened_at, state)
    VALUES (?, ?, ?, ?, 'gathering')`)
  const setCopy = db.prepare('UPDATE messages SET copy_to = ? WHERE id = ?')
  const link = db.prepare('INSERT OR IGNORE INTO message_notices (message_id, notice_id) VALUES (?, ?)')
  const unlink = db.prepare('DELETE FROM message_notices WHERE message_id = ? AND notice_id = ?')
  const selectGathered = prepare(`SELECT * FROM messages AS this WHERE state = 'gathering' AND (channel = 'webhook' OR (
      (opened_at <= ?2 OR opened_at > ?1) AND NOT EXISTS (SELECT 1 FROM messages AS other
        WHERE other.recipient = this.recipient AND other.channel = 'mail'
        AND (other.state = 'ready' OR (other.state = 'sent' AND other.ended_at > ?3 AND other.ended_at <= ?1)))))
    ORDER BY id LIMIT ?4`)
  const selectNotices = prepare(`SELECT notices.* FROM message_notices JOIN notices ON notices.id = notice_id
    WHERE message_id = ? ORDER BY notices.id`)
  const selectDue = prepare(`SELECT * FROM messages
    WHERE state = 'ready' AND channel = ?3 AND (retry_at IS NULL OR retry_at <= ?1 OR attempted_at > ?1)
    ORDER BY attempts, id LIMIT ?2`)
  const close = db.prepare("UPDATE messages SET state = 'ready', content = ? WHERE id = ?")
  const mute = db.prepare("UPDATE notices SET state = 'muted' WHERE id = ? AND state = 'addressed'")
  const overtake = db.prepare(`UPDATE notices SET state = 'passed' WHERE id = ? AND state = 'addressed'
    AND NOT EXISTS (SELECT 1 FROM message_notices JOIN messages ON messages.id = message_id
      WHERE notice_id = notices.id AND messages.state <> 'given up')`)
  const revive = db.prepare("UPDATE notices SET state = 'addressed' WHERE id = ? AND state = 'passed'")
  const begin = db.prepare(`UPDATE messages SET attempts = attempts + 1, attempted_at = ?, retry_at = ?
    WHERE id = ? AND state = 'ready'`)
  const fail = db.prepare("UPDATE messages SET problem = ? WHERE id = ? AND state = 'ready'")
  const end = db.prepare(`UPDATE messages SET state = ?, ended_at = ?, problem = ?, content = NULL
    WHERE id = ? AND state IN ('ready', 'gathering')`)
  const noticesSent = db.prepare(`UPDATE notices SET state = 'sent' WHERE state IN ('addressed', 'given up')
    AND id IN (SELECT notice_id FROM message_notices WHERE message_id = ?)`)
  const noticesGivenUp = db.prepare(`UPDATE notices SET state = 'given up' WHERE state = 'addressed'
    AND id IN (SELECT notice_id FROM message_notices WHERE message_id = ?)
    AND NOT EXISTS (SELECT 1 FROM message_notices JOIN messages ON messages.id = message_id
      WHERE notice_id = notices.id AND messages.state <> 'given up')`)
  const selectTellings = prepare(`SELECT messages.*, notice_id FROM json_each(?) AS wanted
    JOIN message_notices ON notice_id = wanted.value JOIN messages ON messages.id = message_id
    ORDER BY notice_id, messages.id`)
  const count = db.prepare('SELECT channel, state, count(*) AS count FROM messages GROUP BY channel, state')

  function openMessage({ channel, to }: Recipient, at: number): { id: number | bigint; copyTo: unknown } {
    const open = channel === 'mail' ? selectGathering.get(to) : undefined
    if (open !== undefined) return { id: open.id as number, copyTo: open.copy_to }
    return { id: insertMessage.run(randomUUID(), channel, to, at).lastInsertRowid, copyTo: null }
  }

  return {
    async addressNotice(notice, { at, to, copyTo, state }) {
      return inTransaction(() => {
        if (addressed.run(state, notice).changes === 0) return false
        const opened = to.map((recipient) => ({ ...openMessage(recipient, at), channel: recipient.channel }))
        for (const { id } of opened) link.run(id, notice)
        const mails = opened.filter(({ channel }) => channel === 'mail')
        if (copyTo !== undefined && mails.length > 0 && mails.every((mail) => mail.copyTo === null)) {
          setCopy.run(copyTo, mails[0]!.id)
        }
        return true
      })
    },
    async gathered({ now, openedBy, noneSince }, limit) {
      return watch.read(() => selectGathered.all(now, openedBy, noneSince, limit)).map(toMessage)
    },
    async messageNotices(message) {
      return watch.read(() => selectNotices.all(message)).map(toNotice)
    },
    async closeMessage(message, closing) {
      const { content, told, muted, overtaken = [], instead = [], at } = closing
      return inTransaction(() => {
        const all = selectNotices.all(message).map(({ id }) => Number(id))
        if (!isOfAll(all, closing)) return false
        for (const id of muted) {
          mute.run(id)
          unlink.run(message, id)
        }
        for (const id of overtaken) {
          unlink.run(message, id)
          overtake.run(id)
        }
        for (const id of instead) {
          revive.run(id)
          link.run(message, id)
        }
        if (told.length === 0) end.run('given up', at, NO_NEWS, message)
        else close.run(content, message)
        return true
      })
    },
    async dueMessages(channel, now, limit) {
      return watch
        .read(() => selectDue.all(now, limit, channel))
        .map((row) => ({ ...toMessage(row), content: row.content as string }))
    },
    async beginAttempt(message, { at, retryAt }) {
      inTransaction(() => begin.run(at, retryAt, message))
    },
    async failAttempt(message, problem) {
      inTransaction(() => fail.run(problem, message))
    },
    async endMessage(message, { state, at, problem }) {
      inTransaction(() => {
        if (end.run(state, at, problem ?? null, message).changes === 0) return
        if (state === 'sent') noticesSent.run(message)
        else noticesGivenUp.run(message)
      })
    },
    async tellings(notices) {
      const rows = watch.read(() => selectTellings.all(JSON.stringify(notices)))
      return rows.map((row) => ({ ...toMessage(row), notice: Number(row.notice_id) }))
    },
    async messageCounts() {
      const counts: { [C in Channel]?: { [S in MessageState]?: number } } = {}
      for (const row of watch.read(() => count.all())) {
        const [channel, state] = [row.channel as Channel, row.state as MessageState]
        counts[channel] = { ...counts[channel], [state]: row.count as number }
      }
      return counts satisfies MessageCounts
    },
  }
}
