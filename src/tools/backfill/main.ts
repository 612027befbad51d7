/**
 * Reads missed readings from Prometheus into a ledger, as a program: `os-credits backfill`.
 *
 * Exit codes: 0 done; 64 called wrongly; 66 there is no ledger that --ledger names for a dry run; 69 Prometheus or Perun cannot be asked; 74 the ledger cannot be
 * had; 78 the settings have problems; 130 stopped.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backup } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPostgres, type LedgerLocation } from '../../config/ledgerLocation.ts'
import { loadSettings, type Settings } from '../../config/settings.ts'
import { formatInstant, systemClock } from '../../core/time.ts'
import { LedgerError } from '../../ledger/ledger.ts'
import { archiveOf, predecessorOf } from '../../past.ts'
import { openSnapshot } from '../backup/source.ts'
import { readDuration, readInstant } from '../instants.ts'
import { paper } from '../paper.ts'
import {
  createBar,
  EXIT_INTERRUPTED,
  EXIT_RESOURCE,
  EXIT_SETTINGS,
  EXIT_USAGE,
  readWords,
  runTool,
  ToolError,
} from '../program.ts'
import { openWorkbench } from '../workbench.ts'
import { backfill } from './backfill.ts'
import { backfillJson, describeBackfill } from './report.ts'

const usage = `Reads what a worker missed from Prometheus and records it in the ledger.

  os-credits backfill [options]

A worker with PROMETHEUS_URL does this by itself when it starts. This program is for looking first (--dry-run), and for periods of
your own. The worker must not run, except for a dry run, which there is for ledgers in files only. Settings are those of the worker, from the environment. With
OS_CREDITS_PERUN_URL, groups that another service charged begin exactly where it stopped. What is not later than what the ledger
has of a series changes nothing, so doing it twice, or again after a stop, is harmless. Ctrl-C stops after the present part.

  --from INSTANT       begin there: 2026-11-21T03:00:00Z, or -2d for two days ago; where the ledger ends if not given
  --to INSTANT         end there; now if not given
  --step DURATION      take the first reading of each series and the last one in each step; all of up to a day if not given
  --dry-run            work on a copy of the ledger, and show what each group would be charged
  --ledger PLACE       the ledger, a path or postgres://…; OS_CREDITS_LEDGER if not given
  --prometheus URL     what comes before /api/v1; PROMETHEUS_URL if not given
  --json               print what was done as JSON
  --help               print this

Exit codes: 0 done, 64 called wrongly, 66 there is no ledger that --ledger names for a dry run, 69 Prometheus or Perun cannot be
asked, 74 the ledger cannot be had, 78 the settings have problems, 130 stopped.
`

const me = paper(process)
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

process.exitCode = await runTool(me, () => main(process.argv.slice(2)))

async function main(words: string[]): Promise<number> {
  const { values, positionals } = readWords(words, {
    'dry-run': { type: 'boolean' },
    from: { type: 'string' },
    help: { type: 'boolean' },
    json: { type: 'boolean' },
    ledger: { type: 'string' },
    prometheus: { type: 'string' },
    step: { type: 'string' },
    to: { type: 'string' },
  })
  if (values.help === true) {
    me.out(usage)
    return 0
  }
  if (positionals.length > 0)
    throw new ToolError(EXIT_USAGE, `Expected only options, got "${positionals[0]}". --help tells how to call it.`)
  const now = systemClock.now()
  const period = {
    from: values.from === undefined ? undefined : readInstant('--from', values.from, now),
    to: values.to === undefined ? undefined : readInstant('--to', values.to, now),
    step: values.step === undefined ? undefined : readDuration('--step', values.step),
  }
  const settings = settingsWith({ OS_CREDITS_LEDGER: values.ledger, PROMETHEUS_URL: values.prometheus })
  const isNamed = values.ledger !== undefined
  return run(settings, period, { isDryRun: values['dry-run'] === true, isNamed, wantsJson: values.json === true })
}

function settingsWith({ OS_CREDITS_LEDGER: ledger, ...options }: Record<string, string | undefined>): Settings {
  const given = Object.entries(options).filter(([, text]) => text !== undefined)
  const place = ledger === undefined ? {} : { OS_CREDITS_LEDGER: addressOf(ledger), OS_CREDITS_LEDGER_FILE: undefined }
  const env = { ...process.env, ...place, ...Object.fromEntries(given) }
  return loadSettings(env, (file) => readFileSync(file, 'utf8'), { targets: false }).settings
}

function addressOf(ledger: string): string {
  return isPostgres(ledger) ? ledger : `sqlite:${ledger.replace(/^sqlite:/, '')}`
}

interface Period {
  readonly from: number | undefined
  readonly to: number | undefined
  readonly step: number | undefined
}

async function run(
  settings: Settings,
  period: Period,
  { isDryRun, isNamed, wantsJson }: { isDryRun: boolean; isNamed: boolean; wantsJson: boolean },
) {
  const archive = archiveOf(settings, version, systemClock)
  if (archive === undefined)
    throw new ToolError(EXIT_SETTINGS, 'PROMETHEUS_URL: expected the Prometheus to read from, got nothing')
  const folder = isDryRun ? mkdtempSync(join(tmpdir(), 'os-credits-')) : undefined
  const stopping = stopOnSignal()
  const predecessor = predecessorOf(settings, systemClock)
  try {
    const location = folder === undefined ? settings.ledger : await copyInto(folder, settings.ledger, isNamed)
    const workbench = await open(location, settings)
    const tell = createTeller()
    try {
      const parts = { workbench, archive, predecessor, settings, clock: systemClock, wait, ...tell }
      const result = await backfill({ ...parts, ...period }, stopping.signal).finally(tell.end)
      const facts = { isDryRun, wasStopped: stopping.signal.aborted }
      me.out(wantsJson ? `${backfillJson(result, facts)}\n` : describeBackfill(result, facts, me))
    } finally {
      await workbench.ledger.close()
    }
    return stopping.signal.aborted ? EXIT_INTERRUPTED : 0
  } catch (error) {
    if (stopping.signal.aborted)
      throw new ToolError(EXIT_INTERRUPTED, 'Stopped before anything was read. What is recorded counts once.')
    throw error
  } finally {
    predecessor?.close()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

async function open(location: LedgerLocation, settings: Settings) {
  try {
    return await openWorkbench(location, settings, settings.meters, systemClock)
  } catch (error) {
    if (!(error instanceof LedgerError) || !error.message.includes('in use by another worker')) throw error
    const advice = 'Stop the worker first. Or set PROMETHEUS_URL and restart it: it reads what it missed by itself'
    throw new ToolError(EXIT_RESOURCE, `${error.message}\n${advice}.`)
  }
}

/**
 * Before a worker was ever started there is nothing to copy.
 *
 * @param isNamed Whether it was typed: then it has to be there.
 */
async function copyInto(folder: string, ledger: LedgerLocation, isNamed: boolean): Promise<LedgerLocation> {
  if (ledger.kind !== 'sqlite')
    throw new ToolError(EXIT_USAGE, 'There is no dry run for a ledger in PostgreSQL, as it works on a copy of a file.')
  const path = join(folder, 'copy.db')
  const copy = { kind: 'sqlite', path } as const
  if (!isNamed && !existsSync(ledger.path)) {
    me.err(`There is no ledger yet at ${ledger.path}: the dry run begins with an empty one.\n`)
    return copy
  }
  const snapshot = openSnapshot(ledger.path)
  try {
    await backup(snapshot.db, path, { rate: 1_000 })
  } finally {
    snapshot.close()
  }
  return copy
}

/** A bar on a terminal, else a line for each tenth. */
function createTeller() {
  const bar = createBar(me)
  let told = 0
  return {
    onProgress(part: number, { upTo, readings }: { upTo: number; readings: number }) {
      const text = `until ${formatInstant(upTo)}, ${readings.toLocaleString('en')} readings`
      bar.show(part, text)
      const tenth = Math.floor(10 * part)
      if (!me.isTerminal && tenth > told) me.err(`${10 * tenth} % ${text}\n`)
      told = tenth
    },
    onWait(reason: string) {
      bar.clear()
      me.err(`${reason}. It is asked again.\n`)
    },
    end: bar.clear,
  }
}

/** The second signal ends it at once. */
function stopOnSignal(): AbortController {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  return stopping
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
