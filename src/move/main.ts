/**
 * Moves a ledger from one place to another, as a program: `os-credits migrate-ledger FROM TO`.
 *
 * Exit codes: 0 moved; 1 what was moved is not what there was; 64 called wrongly; 74 a ledger cannot be had.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ledgerLocation } from '../config/ledgerLocation.ts'
import { LedgerError } from '../ledger/ledger.ts'
import { move } from './move.ts'
import { openPostgresStore } from './postgres.ts'
import { createProgress } from './progress.ts'
import { openSqliteStore, openSqliteTarget } from './sqlite.ts'
import { MoveError, type Store, type Target } from './store.ts'

const EXIT_DIFFERENT = 1
const EXIT_USAGE = 64
const EXIT_RESOURCE = 74

const usage = `Moves a ledger, with everything in it, into an empty one. Stop all workers of both first.

  os-credits migrate-ledger [--anew] FROM TO
  node src/move/main.ts [--anew] FROM TO

FROM and TO are written like OS_CREDITS_LEDGER: sqlite:path/to/file.db or postgres://user:password@host:5432/database.
@FILE stands for the content of a file, so that no password is on the command line. What was interrupted goes on where it
was when it is called again. In the end every row is compared, and totals and hashes are computed again; only then workers
can open the new ledger. The old one stays as it is.

  --anew    throw away what an interrupted move left in TO
  --help    print this

Exit codes: 0 moved, 1 what was moved differs, 64 called wrongly, 74 a ledger cannot be had.
`

/** Called wrongly; said as it is. */
class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2))

async function main(words: string[]): Promise<number> {
  try {
    const call = readCall(words)
    if (call !== undefined) return await run(call)
    process.stdout.write(usage)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof LedgerError || error instanceof MoveError)) throw error
    process.stderr.write(`${error.message}\n`)
    return error instanceof UsageError ? EXIT_USAGE : EXIT_RESOURCE
  }
}

type Call = NonNullable<ReturnType<typeof readCall>>

function readCall(words: string[]) {
  try {
    const options = { anew: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    if (values.help) return undefined
    if (positionals.length !== 2) throw new UsageError('Expected two ledgers, FROM and TO; see --help')
    const [from, to] = positionals.map(locationOf)
    return { from: from!, to: to!, isAnew: values.anew }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message)
  }
}

function locationOf(word: string) {
  const text = word.startsWith('@') ? readFileSync(word.slice(1), 'utf8').trim() : word
  try {
    return ledgerLocation(text)
  } catch (error) {
    throw new UsageError(`Expected ${(error as Error).message}`)
  }
}

async function run({ from, to, isAnew }: Call): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const source: Store = from.kind === 'sqlite' ? openSqliteStore(from.path) : await openPostgresStore(from.url)
  stack.defer(() => source.close())
  const target: Target = to.kind === 'sqlite' ? openSqliteTarget(to.path) : await openPostgresStore(to.url)
  stack.defer(() => target.close())
  const progress = createProgress(process.stderr)
  const tell = {
    copied: (table: string, rows: number) => progress.tell(`Copying ${table}`, rows),
    checked: (table: string, rows: number) => progress.tell(`Checking ${table}`, rows),
    resumed: () => progress.say('Going on where it was interrupted.'),
  }
  const problems = await move(source, target, { isAnew, tell })
  progress.end()
  if (problems.length === 0) {
    process.stdout.write(`Moved ${source.place} to ${target.place}: every row, total and hash was compared.\n`)
    return 0
  }
  process.stderr.write(
    `What was moved differs, and is no ledger yet:\n${problems.map((each) => `  ${each}\n`).join('')}`,
  )
  return EXIT_DIFFERENT
}
