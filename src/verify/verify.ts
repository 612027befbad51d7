/**
 * Checks a ledger: computes everything again that can be, and finds any changed byte.
 *
 * This program shares no code with the worker, only the description of the format (`src/ledger/receipts.ts` and the
 * migrations). A mistake in one of them makes them differ.
 */
import type { DatabaseSync } from 'node:sqlite'
import { readAccepted } from './accepted.ts'
import { type Books, compareBooks, openBooks } from './books.ts'
import { checkDays } from './days.ts'
import { checkDrifts } from './drifts.ts'
import { checkEntries, type RunningDigest } from './entries.ts'
import {
  CannotOpenError,
  CannotReadError,
  isDamage,
  isTrouble,
  type LedgerFile,
  messageOf,
  openLedgerFile,
} from './file.ts'
import type { EntryRow } from './hashes.ts'
import { compareMirror, type Due, dueOf } from './mirror.ts'
import { createProblems, type Problem, type Problems } from './problems.ts'
import { createReceipt, type Receipt } from './receipt.ts'
import { checkRepricings } from './repricings.ts'
import { checkSchema, checkStructure, checkVersion } from './schema.ts'
import { checkSeals } from './seals.ts'

export interface VerifyOptions {
  /** Problems that are kept; the others are only counted. */
  readonly limit?: number
  /** Decimals of published credits, as the worker has them. */
  readonly precision?: number
  /** A digest that was noted earlier: the ledger must begin with those entries. */
  readonly expected?: string
  /** The group whose receipt is wanted. */
  readonly group?: string
  /** Told now and then how far it is. */
  readonly onProgress?: (stage: string, done: number, total: number) => void
}

export interface Verdict {
  readonly groups: number
  readonly series: number
  readonly entries: number
  /** The sum of all entries, in micro-credits. */
  readonly total: bigint
  /** Over all entries; see `RunningDigest`. Absent if they could not be read. */
  readonly digest?: string
  readonly problems: readonly Problem[]
  readonly problemCount: number
  /** Of the group that was asked for, if the ledger has it. */
  readonly receipt?: Receipt
}

/**
 * @throws {CannotOpenError} if there is no ledger of a version that this program knows.
 * @throws {CannotReadError} if the disk fails, the ledger is locked, or it was changed meanwhile.
 */
export function verifyLedger(path: string, options: VerifyOptions = {}): Verdict {
  const problems = createProblems(options.limit ?? 20)
  let file: LedgerFile | undefined
  let counted: Counted = { groups: 0, series: 0, entries: 0, total: 0n }
  try {
    file = openLedgerFile(path)
    checkVersion(file.db, path)
    checkSchema(file.db, problems)
    options.onProgress?.("SQLite's own check", 0, 0)
    checkStructure(file.db, problems)
    counted = checkContents(file.db, problems, options)
  } catch (error) {
    if (isTrouble(error)) throw new CannotReadError(`The ledger ${path} cannot be read on: ${messageOf(error)}.`)
    // After other problems anything may go wrong: what is read then is not what was written.
    if (!isDamage(error) && (problems.count === 0 || error instanceof CannotOpenError)) throw error
    problems.add('file', 'what follows', 'reading on', 'possible', messageOf(error))
  } finally {
    file?.close()
  }
  return { ...counted, problems: problems.kept, problemCount: problems.count }
}

type Counted = Omit<Verdict, 'problems' | 'problemCount'>

/** How often progress is told, in entries. */
const STEP = 10_000

function checkContents(db: DatabaseSync, problems: Problems, options: VerifyOptions): Counted {
  const { precision = 2, expected, group, onProgress } = options
  onProgress?.('seals', 0, 0)
  checkSeals(db, problems)
  const { entries: total } = db.prepare('SELECT count(*) AS entries FROM entries').get() as { entries: number }
  const books = openBooks(db, problems)
  const accepted = readAccepted(db)
  const receipt = group === undefined ? undefined : createReceipt(group, books)
  const noted = expected === undefined ? undefined : createNoted(expected)
  let entries = 0
  onProgress?.('entries', 0, total)
  const onEntry = (row: EntryRow, digest: RunningDigest) => {
    entries += 1
    receipt?.add(row)
    noted?.meet(entries, digest)
    if (entries % STEP === 0) onProgress?.('entries', entries, total)
  }
  const digest = checkEntries(db, { books, accepted, problems, onEntry })
  noted?.compare(entries, problems)
  accepted.compare(problems)
  compareBooks(db, books, problems)
  onProgress?.('days', 0, 0)
  checkDays(db, problems)
  checkDrifts(db, problems)
  checkRepricings(db, problems)
  const due = dueOf(db, books)
  compareMirror(db, due, precision, problems)
  return {
    groups: books.groups.size,
    series: books.series.size,
    entries,
    total: totalOf(books),
    digest,
    ...(receipt !== undefined && receiptOf(db, receipt, due, group!)),
  }
}

function totalOf({ groups }: Books): bigint {
  return [...groups.values()].reduce((total, { used }) => total + used, 0n)
}

function receiptOf(db: DatabaseSync, receipt: ReturnType<typeof createReceipt>, due: Due, group: string) {
  const finished = receipt.finish(db, due.get(group))
  return finished === undefined ? {} : { receipt: finished }
}

/** Compares the digest over the first entries with one that was noted when there were no others. */
function createNoted(expected: string) {
  const count = Number(expected.split('.')[0])
  let found = count === 0 ? expected : undefined
  return {
    meet(entries: number, digest: RunningDigest) {
      if (entries === count) found = digest.value()
    },
    compare(entries: number, problems: Problems) {
      if (found === undefined) {
        problems.add('digest', expected, 'entries', `at least ${count}: this is an older copy, or cut short`, entries)
      } else problems.compare('digest', expected, `the one over the first ${count} entries`, expected, found)
    },
  }
}
