/**
 * Backs a ledger up, as a program: `os-credits backup TO`.
 *
 * Exit codes: 0 done; 1 the copy is not all right; 64 called wrongly; 66 no ledger there; 74 it cannot be read or written.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { isPostgres } from '../../config/ledgerLocation.ts'
import { paper } from '../paper.ts'
import { createBar, EXIT_USAGE, readWords, runTool, ToolError } from '../program.ts'
import { backUp } from './backup.ts'

const usage = `Backs a ledger in a file up into another file, also while the worker runs and writes. One in PostgreSQL is backed up by pg_dump.

  os-credits backup [options] TO

The copy is the ledger as it is at one moment. It is checked like "os-credits verify" does, written to the disk, and only then
gets its name: a file TO is a whole backup. To restore it, stop the worker, put it in the place of the ledger, and remove the
files -wal and -shm beside that; docs/DEPLOYMENT.md says what Perun has to do with it.

  --force              replace TO if it is there
  --ledger PATH        the ledger; OS_CREDITS_LEDGER or data/credits.db if not given
  --help               print this

Exit codes: 0 done, 1 the copy is not all right, 64 called wrongly, 66 no ledger there, 74 it cannot be read or written.
`

const verifyProgram = fileURLToPath(new URL('../../verify/main.ts', import.meta.url))

process.exitCode = await runTool(paper(process), () => main(process.argv.slice(2)))

async function main(words: string[]): Promise<number> {
  const { values, positionals } = readWords(words, {
    force: { type: 'boolean' },
    help: { type: 'boolean' },
    ledger: { type: 'string' },
  })
  const { out, err, ...rest } = paper(process)
  if (values.help === true) {
    out(usage)
    return 0
  }
  const [to, ...more] = positionals
  if (to === undefined || more.length > 0)
    throw new ToolError(
      EXIT_USAGE,
      `Expected one file to write, got ${positionals.length}. --help tells how to call it.`,
    )
  const ledger = pathOf(values.ledger)
  const begun = performance.now()
  const bar = createBar({ err, ...rest })
  const onProgress = (part: number) => bar.show(part, 'copying')
  const bytes = await backUp({ ledger, to, force: values.force === true, check: verified, onProgress }).finally(
    bar.clear,
  )
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
  out(`${to}: ${bytes.toLocaleString('en')} bytes, copied and checked in ${seconds} s\n`)
  return 0

  async function verified(path: string): Promise<string | undefined> {
    bar.show(1, 'checking')
    const child = spawn(process.execPath, [...process.execArgv, verifyProgram, path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [answer, problem, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return code === 0 ? undefined : `${answer}${problem}`.trim()
  }
}

/** @throws {ToolError} if the ledger is in no file. */
function pathOf(given: string | undefined): string {
  const file = process.env.OS_CREDITS_LEDGER_FILE?.trim()
  const named = file === undefined || file === '' ? undefined : readFileSync(file, 'utf8').trim()
  const ledger = given ?? named ?? process.env.OS_CREDITS_LEDGER ?? 'data/credits.db'
  if (!isPostgres(ledger)) return ledger.replace(/^sqlite:/, '')
  const advice = 'Back it up with pg_dump, which takes one moment of it, also while workers write'
  throw new ToolError(EXIT_USAGE, `The ledger is in PostgreSQL. ${advice}.`)
}
