/**
 * Trouble with the ledger's file, in sentences that a person can act on.
 *
 * A full disk or a read-only file system pass by, and the ledger goes on when they have. A damaged file does not: from the
 * first sign of it nothing is written any more, so that nothing is charged from what may be garbage. A file that is no longer at its
 * place is no better: what SQLite writes into it is gone when the process ends.
 */
import { statSync } from 'node:fs'
import { LedgerError } from '../ledger.ts'

interface Cause {
  readonly what: string
  readonly remedy: string
}

const damaged: Cause = {
  what: 'the file is damaged',
  remedy:
    'Stop the worker, keep this file and its -wal, see with `npm run verify` what is wrong, and put a backup in its place',
}

/** By SQLite's primary result code. */
const causes: Readonly<Record<number, Cause>> = {
  8: { what: 'the file or its file system is read-only', remedy: 'Make it writable' },
  10: { what: 'the disk fails', remedy: "Look at the disk, its file system and the system's log" },
  11: damaged,
  13: { what: 'the disk is full', remedy: 'Free some space on it' },
  26: damaged,
}

const unknownCause: Cause = {
  what: 'the file cannot be used',
  remedy: 'The file and its folder must be writable for the user of the worker',
}

/** What keeps a ledger from being opened; a mistake of our own stays what it is. */
export function cannotOpen(path: string, error: unknown): unknown {
  if (error instanceof LedgerError || !(error instanceof Error && 'code' in error)) return error
  const { what, remedy } = causeOf(error) ?? unknownCause
  return new LedgerError(
    `The ledger ${path} cannot be opened: ${what} (${messageOf(error)}). ${remedy}, then start the worker again.`,
    { cause: error },
  )
}

/** Found by a check, not by an error of SQLite. */
export function foundDamaged(path: string, finding: string): LedgerError {
  return new LedgerError(`The ledger ${path} cannot be opened: ${damaged.what} (${finding}). ${damaged.remedy}.`)
}

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === 5
}

/** Whether a row was refused because another one has its name: SQLITE_CONSTRAINT_UNIQUE. */
export function isTaken(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 2067
}

export interface Watch {
  /** Does work that writes. @throws {LedgerError} if the file does not let it, or is known to be damaged. */
  write<Result>(work: () => Result): Result
  /** Does work that reads. @throws {LedgerError} if the file does not let it. */
  read<Result>(work: () => Result): Result
}

const NOTHING_MORE = 'Nothing is recorded or published any more'

/** Watches over the work with an open ledger; one in memory is at no place, and stays there. */
export function createWatch(path: string): Watch {
  let damage: LedgerError | undefined
  const file = identityOf(path)

  /** Costs some microseconds; a commit takes a hundred times that. */
  function expectSameFile(): void {
    const now = identityOf(path)
    if (now === file) return
    const what = now === 'none' ? 'the file was removed' : 'another file is in its place'
    damage = new LedgerError(
      `The ledger ${path} cannot be used: ${what} while the worker ran. Stop the worker, put the right file there with its -wal, and start it again. ${NOTHING_MORE}.`,
    )
    throw damage
  }

  function explain(error: unknown): unknown {
    const cause = causeOf(error)
    if (cause === undefined) return error
    const until = cause === damaged ? NOTHING_MORE : 'It goes on by itself afterwards'
    const sentence = `The ledger ${path} cannot be used: ${cause.what} (${messageOf(error)}). ${cause.remedy}. ${until}.`
    const trouble = new LedgerError(sentence, { cause: error })
    if (cause === damaged) damage ??= trouble
    return trouble
  }

  function read<Result>(work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      throw explain(error)
    }
  }

  return {
    read,
    write(work) {
      if (damage !== undefined) throw damage
      expectSameFile()
      return read(work)
    },
  }
}

/** Tells a file from another one that takes its place. */
function identityOf(path: string): string {
  const state = statSync(path, { bigint: true, throwIfNoEntry: false })
  return state === undefined ? 'none' : `${state.dev}/${state.ino}`
}

function causeOf(error: unknown): Cause | undefined {
  const code = primaryCode(error)
  return code === undefined ? undefined : causes[code]
}

/** The lowest byte of SQLite's result code; the others tell details. */
function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
