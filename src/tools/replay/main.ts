/**
 * Feeds recorded expositions into a scratch ledger and shows what would be charged, as a program: `os-credits replay FILE…`.
 *
 * Exit codes: 0 done; 64 called wrongly; 66 a file is missing or no exposition; 74 the scratch ledger cannot be had; 78 the
 * settings have problems.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isPostgres } from '../../config/ledgerLocation.ts'
import { loadSettings, type Settings } from '../../config/settings.ts'
import { systemClock } from '../../core/time.ts'
import { readInstant } from '../instants.ts'
import { paper } from '../paper.ts'
import { EXIT_USAGE, readWords, runTool, ToolError } from '../program.ts'
import { readRecording } from './recording.ts'
import { replay } from './replay.ts'
import { describeReplay, replayJson } from './report.ts'

const usage = `Feeds recorded expositions into a scratch ledger and shows what would be charged: for disputes, and for trying prices.

  os-credits replay [options] FILE…

FILE is what an exporter or /federate answered once, as text, perhaps with gzip. Each is taken as a scrape at its time: that of
its samples, else of --at, else of its name (…20261121T033335_600Z…), else of the file. Prices and other settings are those of the worker,
from the environment. The worker and its ledger are not touched.

  --at INSTANT         when the file was recorded, if it is one
  --prices FILE        other prices, shown beside those of the settings
  --site NUMBER        site of samples without location_id; OS_CREDITS_LOCATION_ID if not given
  --ledger NEW         keep the scratch ledger in a new file, to be looked at with "os-credits verify --group"
  --json               print what came of it as JSON
  --help               print this

Exit codes: 0 done, 64 called wrongly, 66 a file is missing or no exposition, 74 the scratch ledger cannot be had, 78 the settings
have problems.
`

const me = paper(process)

process.exitCode = await runTool(me, () => main(process.argv.slice(2)))

async function main(words: string[]): Promise<number> {
  const { values, positionals: files } = readWords(words, {
    at: { type: 'string' },
    help: { type: 'boolean' },
    json: { type: 'boolean' },
    ledger: { type: 'string' },
    prices: { type: 'string' },
    site: { type: 'string' },
  })
  if (values.help === true) {
    me.out(usage)
    return 0
  }
  if (files.length === 0)
    throw new ToolError(EXIT_USAGE, 'Expected files to replay, got none. --help tells how to call it.')
  if (values.at !== undefined && files.length > 1)
    throw new ToolError(EXIT_USAGE, `--at is for one file, got ${files.length}: name files by their times.`)
  const scratch = values.ledger?.replace(/^sqlite:/, '') ?? ':memory:'
  if (isPostgres(scratch)) throw new ToolError(EXIT_USAGE, 'A scratch ledger is a file: name a new one after --ledger.')
  if (existsSync(scratch)) throw new ToolError(EXIT_USAGE, `There is a file ${scratch} already: name a new one.`)
  const settings = settingsWith(values.site, undefined)
  const at = values.at === undefined ? undefined : readInstant('--at', values.at, systemClock.now())
  const recordings = files.map((file) => readRecording(file, at, settings)).sort((a, b) => a.at - b.at)
  const result = await replay(recordings, settings, settings.meters, scratch)
  const other = values.prices === undefined ? undefined : await withPrices(settingsWith(values.site, values.prices))
  me.out(
    values.json === true ? `${replayJson(recordings, result, other)}\n` : describeReplay(recordings, result, other, me),
  )
  return 0

  async function withPrices(tried: Settings) {
    const again = files.map((file) => readRecording(file, at, tried))
    return replay(again, tried, tried.meters, ':memory:')
  }
}

/** @param prices A file in the place of the prices of the settings. */
function settingsWith(site: string | undefined, prices: string | undefined): Settings {
  const instead = prices === undefined ? {} : { OS_CREDITS_PRICES_FILE: prices, METRICS_TO_BILL: undefined }
  const env = { ...process.env, ...(site !== undefined && { OS_CREDITS_LOCATION_ID: site }), ...instead }
  return loadSettings(env, (file) => readFileSync(file, 'utf8'), { targets: false }).settings
}
