/**
 * Checks a ledger, as a program: `npm run verify -- LEDGER`.
 *
 * Exit codes: 0 all right; 1 problems found; 64 called wrongly; 66 no ledger that it knows; 74 it cannot be read on.
 */
import { parseArgs } from 'node:util'
import { CannotOpenError, CannotReadError } from './file.ts'
import { createProgress } from './progress.ts'
import { describeProblems, describeVerdict, toJson } from './report.ts'
import { type Verdict, verifyLedger } from './verify.ts'

const EXIT_PROBLEMS = 1
const EXIT_USAGE = 64
const EXIT_NO_LEDGER = 66
const EXIT_READING = 74

const usage = `Checks a ledger of the credits worker. It only reads; a worker may have the ledger open.

  npm run verify -- [options] LEDGER
  node src/verify/main.ts [options] LEDGER

LEDGER is the file, such as data/credits.db, or a backup of it; OS_CREDITS_LEDGER if not given. Everything is computed
again by a program that shares no code with the worker: amounts, totals, chains of hashes, seals, and what Perun should
show.

  --digest             print only a digest over all entries, to be noted
  --expect DIGEST      whether the ledger begins with the entries of a digest that was noted earlier
  --group NAME         also print the receipt of a group
  --json               print what was found as JSON
  --limit NUMBER       problems to print, 20 if not given
  --precision NUMBER   decimals that the worker publishes; OS_CREDITS_PRECISION or 2 if not given
  --help               print this

Exit codes: 0 all right, 1 problems found, 64 called wrongly, 66 no ledger that this program knows, 74 cannot be read.
`

/** Called wrongly; said as it is. */
class UsageError extends Error {}

process.exitCode = main(process.argv.slice(2))

function main(words: string[]): number {
  try {
    const call = readCall(words)
    return call === undefined ? help() : check(call)
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof CannotOpenError || error instanceof CannotReadError))
      throw error
    process.stderr.write(`${error.message}\n`)
    if (error instanceof CannotReadError) return EXIT_READING
    return error instanceof CannotOpenError ? EXIT_NO_LEDGER : EXIT_USAGE
  }
}

function help(): number {
  process.stdout.write(usage)
  return 0
}

type Call = NonNullable<ReturnType<typeof readCall>>

/** @returns `undefined` if help is wanted. */
function readCall(words: string[]) {
  const { values, positionals } = parse(words)
  if (values.help === true) return undefined
  const given = positionals.filter((word) => word !== '')
  const [path = process.env.OS_CREDITS_LEDGER, ...others] = given
  if (path === undefined || path === '' || others.length > 0) {
    throw new UsageError(`Expected one ledger, got ${given.length}. --help tells how to call it.`)
  }
  if (values.expect !== undefined && !/^\d+\.[\w-]{43}$/.test(values.expect)) {
    throw new UsageError(`Expected a digest as --digest prints it after --expect, got "${values.expect}"`)
  }
  // The address may hold a password, so it is not told.
  if (/^postgres(?:ql)?:/.test(path)) {
    throw new UsageError(
      'Expected a ledger in a file; one in PostgreSQL is moved there first by "os-credits migrate-ledger"',
    )
  }
  return {
    path: path.replace(/^sqlite:/, ''),
    wants: values.json === true ? 'json' : values.digest === true ? 'digest' : 'text',
    limit: wholeNumber('--limit', values.limit ?? '20', 1_000_000),
    precision: wholeNumber('--precision', values.precision ?? process.env.OS_CREDITS_PRECISION ?? '2', 6),
    ...(values.expect !== undefined && { expected: values.expect }),
    ...(values.group !== undefined && { group: values.group }),
  } as const
}

function parse(words: string[]) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        digest: { type: 'boolean' },
        expect: { type: 'string' },
        group: { type: 'string' },
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        limit: { type: 'string' },
        precision: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}. --help tells how to call it.`)
  }
}

function wholeNumber(name: string, text: string, largest: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(number <= largest))
    throw new UsageError(`Expected a whole number from 0 to ${largest} after ${name}, got "${text}"`)
  return number
}

function check(call: Call): number {
  const { path, wants, group, precision } = call
  const progress = createProgress(process.stderr)
  const begun = performance.now()
  const verdict = verifyLedger(path, { ...call, onProgress: progress.tell })
  progress.clear()
  if (group !== undefined && verdict.receipt === undefined && verdict.problemCount === 0) {
    throw new UsageError(`The ledger has no group "${group}"`)
  }
  process.stdout.write(answer(verdict))
  if (wants === 'digest' && verdict.problemCount > 0) process.stderr.write(`${describeProblems(verdict).join('\n')}\n`)
  return verdict.problemCount === 0 ? 0 : EXIT_PROBLEMS

  function answer(found: Verdict): string {
    if (wants === 'json') return toJson(path, found)
    if (wants === 'text') return describeVerdict(path, found, precision, (performance.now() - begun) / 1_000)
    // A digest over entries that are not all right is worth nothing.
    return found.problemCount === 0 ? `${found.digest}\n` : ''
  }
}
