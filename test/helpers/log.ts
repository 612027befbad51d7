/** A log that is kept in memory, so that tests can read what was said. */
import { createLogging, type Logger, type LoggerName } from '../../src/telemetry/logger.ts'

export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string }

export function memoryLog(name: LoggerName): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) }
  return { logger: createLogging({ level: 'trace', destination }).logger(name), lines }
}
