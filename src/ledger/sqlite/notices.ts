/** What people are to be told; see `../notices.ts` for what is promised. */
import type { DatabaseSync } from 'node:sqlite'
import type { Credits } from '../../core/credits.ts'
import type { Instant } from '../../core/time.ts'
import { lookAtLines, watchedLines } from '../lines.ts'
import { toMute, toNotice } from '../noticeRows.ts'
import type { Notice, NoticeCounts, NoticeLedger, NoticeState } from '../notices.ts'
import type { Watch } from './trouble.ts'

/** Looks whether groups reached a line of their grant. */
export interface LineWatch {
  /**
   * To be called within the transaction that changed a group's total or grant.
   *
   * @param grantBefore The grant as it was, if that may have changed; none if the group is only now opened.
   */
  look(group: string, facts: { at: Instant; entry?: number; grantBefore?: { text: string | undefined } }): void
}

/** @param percents Parts of a grant at which people are told, rising. */
export function createLineWatch(db: DatabaseSync, percents: readonly number[]): LineWatch {
  const selectGroup = db.prepare(`SELECT granted, opened, used - (SELECT coalesce(sum(charged), 0) FROM accounts
    WHERE group_name = name AND contact <> 'active') AS used FROM groups WHERE name = ?`)
  selectGroup.setReadBigInts(true)
  const setNextLine = db.prepare('UPDATE groups SET next_line = ? WHERE name = ?')
  const insert = createNoticeWriter(db)

  return {
    look(group, { at, entry, grantBefore }) {
      const row = selectGroup.get(group)
      const isOpened = row?.opened === 1n
      const used = (row?.used ?? 0n) as Credits
      const view = lookAtLines({
        used,
        granted: isOpened ? (row.granted as string | null) : null,
        grantBefore,
        percents,
      })
      const facts = { group, kind: 'threshold', granted: view.granted, used, at } as const
      for (const { line, isTold } of view.reached) {
        insert({ ...facts, line, ...(entry !== undefined && { entry }) }, isTold ? 'waiting' : 'passed')
      }
      setNextLine.run(view.next, group)
    },
  }
}

/** Computes the next line of each group anew if other lines are watched than the last time. */
export function watchLines(db: DatabaseSync, percents: readonly number[]): void {
  const wanted = watchedLines(percents)
  if (db.prepare('SELECT percents FROM watched_lines').get()?.percents === wanted) return
  db.exec('BEGIN IMMEDIATE')
  const setNextLine = db.prepare('UPDATE groups SET next_line = ? WHERE name = ?')
  const select = db.prepare('SELECT name, used, granted FROM groups WHERE opened = 1 AND granted IS NOT NULL')
  select.setReadBigInts(true)
  for (const { name, used, granted } of select.all()) {
    const { next } = lookAtLines({ used: used as Credits, granted: granted as string, percents })
    setNextLine.run(next, name as string)
  }
  db.exec('DELETE FROM watched_lines')
  db.prepare('INSERT INTO watched_lines VALUES (?1, seal(?1))').run(wanted)
  db.exec('COMMIT')
}

/** Writes a notice that is not there yet; one of a muted group is told to nobody. Returns the state it got, if it is new. */
function createNoticeWriter(db: DatabaseSync) {
  const isMuted = db.prepare('SELECT 1 FROM mutes WHERE group_name = ?')
  const insert = db.prepare(`INSERT OR IGNORE INTO notices (group_name, kind, line, granted, used, at, entry, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  return ({ group, kind, line, granted, used, at, entry }: Notice, wanted: NoticeState): NoticeState | undefined => {
    const state = wanted === 'waiting' && isMuted.get(group) !== undefined ? 'muted' : wanted
    const { changes } = insert.run(group, kind, line, granted, used, at, entry ?? null, state)
    return changes === 0 ? undefined : state
  }
}

export function createNotices(
  db: DatabaseSync,
  watch: Watch,
  inTransaction: <Result>(work: () => Result) => Result,
): NoticeLedger {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return statement
  }
  const selectWaiting = prepare("SELECT * FROM notices WHERE state = 'waiting' AND id > ? ORDER BY id LIMIT ?")
  const count = db.prepare('SELECT state, count(*) AS count FROM notices GROUP BY state')
  const selectNotices = prepare(`SELECT * FROM notices
    WHERE (?1 IS NULL OR group_name = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3`)
  const settle = db.prepare("UPDATE notices SET state = ? WHERE id = ? AND state = 'waiting'")
  const groupExists = db.prepare('SELECT 1 FROM groups WHERE name = ?')
  const insertMute = db.prepare('INSERT INTO mutes (group_name, at, actor, reason) VALUES (?, ?, ?, ?)')
  const deleteMute = db.prepare('DELETE FROM mutes WHERE group_name = ?')
  const selectMute = prepare('SELECT * FROM mutes WHERE group_name = ?')
  const insert = createNoticeWriter(db)

  return {
    async notice(notice) {
      return inTransaction(() => insert(notice, 'waiting') === 'waiting')
    },
    async waitingNotices({ after, limit } = { after: 0, limit: -1 }) {
      return watch.read(() => selectWaiting.all(after, limit)).map(toNotice)
    },
    async noticeCounts() {
      return Object.fromEntries(watch.read(() => count.all()).map((row) => [row.state, row.count])) as NoticeCounts
    },
    async notices({ group, before, limit }) {
      return watch.read(() => selectNotices.all(group ?? null, before ?? null, limit)).map(toNotice)
    },
    async settleNotices(ids, state) {
      inTransaction(() => {
        for (const id of ids) settle.run(state, id)
      })
    },
    async mute({ group, at, actor, reason }) {
      return inTransaction(() => {
        if (groupExists.get(group) === undefined) return false
        deleteMute.run(group)
        insertMute.run(group, at, actor, reason)
        return true
      })
    },
    async unmute(group) {
      return inTransaction(() => {
        deleteMute.run(group)
        return groupExists.get(group) !== undefined
      })
    },
    async muted(group) {
      const row = watch.read(() => selectMute.get(group))
      return row === undefined ? undefined : toMute(row)
    },
  }
}
