/**
 * The ledger in a PostgreSQL database (see `../ledger.ts` for what is promised).
 *
 * Several workers may have it open. What belongs to a group is changed by whoever holds the group's row (`groupLocks.ts`), so
 * two deliveries of one series, or two publishes of one group, come one after the other, and the second one sees what the
 * first one did. Entries are numbered in the order of commits (`numbers.ts`).
 */
import type { Claims } from '../claims.ts'
import { type Ledger, LedgerError } from '../ledger.ts'
import type { Sharing } from '../sharing.ts'
import { accountOf, dirtyGroups, doubtfulGroups, newestIntention, shownGroups } from './accounts.ts'
import { createCatchUpNotes } from './catchUp.ts'
import { type Company, createCompany, type ReplicaOptions } from './company.ts'
import { createCorrections } from './corrections.ts'
import { type Database, openDatabase, PATIENCE } from './database.ts'
import { lockOrMakeGroups, unmakeGroups } from './groupLocks.ts'
import { closeHold, latestJump, openHolds, seriesOfSite } from './holds.ts'
import { createLineWatch, watchLines } from './lineWatch.ts'
import { createMessages } from './messages.ts'
import { migrate } from './migrate.ts'
import { createNotices } from './notices.ts'
import { createNumbers, type Numbers } from './numbers.ts'
import { createReader } from './reader.ts'
import { createRecorder } from './recorder.ts'
import { createSettlementWriter } from './settlements.ts'
import { createSettler } from './settler.ts'
import { one } from './sql.ts'
import { cannotOpen } from './trouble.ts'

export interface PostgresOptions {
  /** Told how long each transaction took, in seconds. */
  readonly onCommit?: (seconds: number) => void
  /** Parts of a grant, in percent and rising, whose crossing is a notice; none if not given. */
  readonly notifyAt?: readonly number[]
  /** Connections at most, beside one for the locks that are held for long. */
  readonly connections?: number
  /** Refuses a ledger that somebody else has open, and keeps it from being opened. */
  readonly isAlone?: boolean
  /** Makes it one of the workers that share the ledger and the work. Programs that only look or record are none. */
  readonly replica?: ReplicaOptions
}

export interface PostgresLedger extends Ledger, Claims {
  /** Given if it was opened by one of them. */
  readonly sharing: Sharing | undefined
  /** How much room the database takes, in bytes. */
  bytes(): Promise<number>
}

/**
 * @param url `postgres://user:password@host:port/database`, with `sslmode` if wanted.
 * @throws {LedgerError} if it cannot be reached or written, somebody has it alone, or it is newer than this program.
 */
export async function openPostgresLedger(url: string, options: PostgresOptions = {}): Promise<PostgresLedger> {
  const { notifyAt = [], isAlone = false, replica, ...rest } = options
  // Before a statement of a replica is given up, others take it for dead: what the server gave it without being heard is theirs.
  const patience = Math.max(PATIENCE, 2 * (replica?.lease ?? 0))
  const database = openDatabase(url, { ...rest, patience })
  const company = createCompany(database, replica)
  try {
    await migrate(database)
    await company.begin(isAlone)
    await expectWhole(database)
    const numbers = createNumbers(database)
    await numbers.prepare()
    await watchLines(database, notifyAt)
    await tryToWrite(database)
    return ledgerIn(database, company, numbers, notifyAt)
  } catch (error) {
    await company.end()
    await database.close()
    throw cannotOpen(database.place, error)
  }
}

/** What `src/move/` has not finished is no ledger. */
async function expectWhole({ sql, place }: Database): Promise<void> {
  const row = await one<{ moving: boolean }>(sql.all("SELECT to_regclass('moving') IS NOT NULL AS moving"))
  if (!row!.moving) return
  throw new LedgerError(
    `The ledger ${place} was moved in part only: finish that with \`os-credits migrate-ledger\`, or begin anew.`,
  )
}

function ledgerIn(database: Database, company: Company, numbers: Numbers, notifyAt: readonly number[]): PostgresLedger {
  const { sql, transact } = database
  const lines = createLineWatch(notifyAt)
  const recorder = createRecorder(numbers, lines)
  const { presence, sharing, ask } = company
  const settler = createSettler(database.keyed, createSettlementWriter(numbers, lines), presence.expectMember)
  company.beforeReturn(settler.flush)
  const check = createCheck(database)
  /** What was settled of a group is in whatever is answered about it. */
  const settled = async (group?: string) => {
    if (group === undefined || settler.isWaiting(group)) await settler.flush()
  }

  /** Why the last readings were not recorded, if they were not: they need more space than what `check` tries. */
  let refusal: string | undefined
  let closed: Promise<void> | undefined

  return {
    ...createReader(database),
    ...createCatchUpNotes(database),
    ...createCorrections(database, { numbers, lines, ask }),
    sharing,
    ...createNotices(database),
    ...createMessages(database),
    async record(series, decide) {
      try {
        const groups = [...new Set(series.map(({ projectName }) => projectName))]
        const recorded = await database.keyed.transact(async (sql) => {
          const made = await lockOrMakeGroups(sql, groups)
          const recording = decide(await recorder.load(sql, series))
          const recorded = await recorder.write(sql, recording)
          const used = new Set(recording.changes.map((change) => change.series.projectName))
          const unused = made.filter((group) => !used.has(group))
          if (unused.length > 0) await unmakeGroups(sql, unused)
          await ask(sql, recorded.groups)
          return recorded
        })
        refusal = undefined
        // What is recorded is recorded: without partitions ahead they are made when they are needed.
        await numbers.prepare().catch(() => {})
        return recorded
      } catch (error) {
        if (error instanceof LedgerError) refusal = error.message
        throw error
      }
    },
    closeHold: (id, why, decide) =>
      transact(async (sql) => {
        const closed = await closeHold(sql, recorder, { id, why, decide })
        if (closed !== undefined) await ask(sql, closed.groups)
        return closed
      }),
    stored: (series) => recorder.load(database.keyed.sql, series),
    async openedBy(source) {
      const row = await one<{ count: bigint }>(
        sql.all('SELECT count(*) AS count FROM series WHERE opened_by = $1', source),
      )
      return Number(row!.count)
    },
    seriesOf: (site, metric) => seriesOfSite(sql, site, metric),
    latestJump: (site) => latestJump(sql, site),
    openHolds: (keys) => openHolds(database.keyed.sql, keys),
    async dirtyGroups() {
      await settled()
      return dirtyGroups(sql)
    },
    async doubtfulGroups() {
      await settled()
      return doubtfulGroups(sql)
    },
    async newestIntention(group) {
      await settled(group)
      return newestIntention(database.keyed.sql, group, presence.ownId())
    },
    async shownGroups() {
      await settled()
      return shownGroups(sql)
    },
    async account(group) {
      await settled(group)
      return accountOf(database.keyed.sql, group)
    },
    settle: settler.settle,
    check: async () => (await check()) ?? refusal,
    claim: presence.claim,
    async bytes() {
      const row = await one<{ size: bigint }>(sql.all('SELECT pg_database_size(current_database()) AS size'))
      return Number(row!.size)
    },
    close() {
      closed ??= settler.flush().then(company.end).then(database.close)
      return closed
    },
  }
}

/** Writes something that changes nothing: a full disk and a read-only server let transactions begin and fail only then. */
async function tryToWrite({ transact }: Database): Promise<void> {
  await transact((sql) => sql.run('UPDATE probe SET checked = checked + 1'))
}

/** How long what a check found is true, in milliseconds: whoever asks often must not wear out the disk. */
const CHECK_VALID = 2_000

function createCheck(database: Database): () => Promise<string | undefined> {
  let found: Promise<string | undefined> = Promise.resolve(undefined)
  let at = Number.NEGATIVE_INFINITY
  return () => {
    if (performance.now() - at < CHECK_VALID) return found
    at = performance.now()
    found = tryToWrite(database).then(
      () => undefined,
      (error) => (error instanceof Error ? error.message : String(error)),
    )
    return found
  }
}
