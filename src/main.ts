/**
 * The worker as a process: environment in, exit code out.
 *
 * Exit codes: 0 stopped as asked; 1 an error nobody expected, or a second signal; 74 the ledger or the port cannot be had;
 * 78 the settings have problems.
 */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { ConfigError, describeSettings, loadSettings, secretsOf } from './config/settings.ts'
import { HttpListenError } from './http/app.ts'
import { LedgerError } from './ledger/ledger.ts'
import { type Service, startService } from './service.ts'
import { createLogging, type Logging } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'

const EXIT_UNEXPECTED = 1
const EXIT_RESOURCE = 74
const EXIT_SETTINGS = 78

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

await main()

async function main(): Promise<void> {
  const logging = createLogging({ level: 'info' })
  const log = logging.logger('service')
  const die = (error: unknown) => {
    log.fatal({ err: error }, 'An error nobody expected: the worker ends')
    process.exit(EXIT_UNEXPECTED)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  try {
    // Not before somebody listens for signals.
    const starting = Promise.resolve(logging).then(start)
    stopOnSignal(starting, logging)
    await starting
  } catch (error) {
    process.exitCode = exitCode(error)
    if (process.exitCode === EXIT_UNEXPECTED) throw error
    log.fatal(error instanceof Error ? error.message : String(error))
  }
}

async function start(logging: Logging): Promise<Service> {
  const { settings, warnings } = loadSettings(process.env, (path) => readFileSync(path, 'utf8'))
  logging.redact(secretsOf(settings))
  logging.setLevel('root', settings.log.level)
  const log = logging.logger('config')
  for (const warning of warnings) log.warn(warning)
  log.info({ version, node: process.version, settings: describeSettings(settings) }, `Credits worker ${version}`)
  const readAgain = (path: string) => readFile(path, 'utf8')
  return startService({ settings, version, logging, metrics: createMetrics({ version }), readFile: readAgain })
}

/** The first signal drains, also when it comes during the start; the second one ends at once. */
function stopOnSignal(starting: Promise<Service>, logging: Logging): void {
  let asked = false
  const stop = (signal: string) => {
    if (asked) {
      logging.logger('service').warn(`${signal} again: ending at once`)
      process.exit(EXIT_UNEXPECTED)
    }
    asked = true
    // Why a start failed is told where it is waited for.
    void starting.then((service) => service.stop().then(() => logging.close())).catch(() => undefined)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

function exitCode(error: unknown): number {
  if (error instanceof ConfigError) return EXIT_SETTINGS
  return error instanceof LedgerError || error instanceof HttpListenError ? EXIT_RESOURCE : EXIT_UNEXPECTED
}
