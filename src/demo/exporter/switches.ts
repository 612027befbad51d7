/** The switches of the dummy exporter for a person at a terminal: `curl -X POST …/-/restart`. Each answers one sentence. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { formatInstant, type Instant, parseInstant } from '../../core/time.ts'
import type { Exporter } from './exporter.ts'
import { type FailMode, failModes } from './failures.ts'
import { UnusableError } from './toml.ts'

interface Switch {
  readonly usage: string
  readonly does: string
  /** @returns what was done. */
  turn(exporter: Exporter, query: URLSearchParams, body: string): string
}

const switches: Readonly<Record<string, Switch>> = {
  '/-/restart': {
    usage: '/-/restart[?start=2026-01-01]',
    does: 'forget all values and begin anew, with another start date if one is given',
    turn(exporter, query) {
      const startDate = query.has('start') ? instant(exporter, query, 'start') : undefined
      exporter.restart({ startDate })
      return startDate === undefined
        ? 'The exporter was restarted.'
        : `The exporter was restarted with the start date ${formatInstant(startDate)}.`
    },
  },
  '/-/move-start': {
    usage: '/-/move-start?to=2026-01-01',
    does: 'count usage from another date on',
    turn(exporter, query) {
      const to = instant(exporter, query, 'to')
      exporter.moveStart(to)
      return `Usage now counts from ${formatInstant(to)} on.`
    },
  },
  '/-/delete-machine': {
    usage: '/-/delete-machine?project=BioVis&instance=1',
    does: 'delete a machine, so that its usage drops out of the total of its project',
    turn(exporter, query) {
      const [project, instance] = [required(query, 'project'), required(query, 'instance')]
      exporter.deleteMachine(project, instance)
      return `Machine "${instance}" of project "${project}" was deleted.`
    },
  },
  '/-/reweight': {
    usage: '/-/reweight  (body: a weights file, or nothing for no weights)',
    does: 'weigh all history anew',
    turn(exporter, _query, body) {
      exporter.reweight(body)
      return body.trim() === ''
        ? 'Machines are no longer weighed.'
        : 'All machines are now weighed with the new weights.'
    },
  },
  '/-/cloud': {
    usage: '/-/cloud  (body: a cloud file)',
    does: 'replace all projects and machines',
    turn(exporter, _query, body) {
      exporter.setCloud(body)
      return 'The exporter now measures the new cloud.'
    },
  },
  '/-/fail': {
    usage: `/-/fail[?mode=${failModes.join('|')}]`,
    does: 'let every scrape fail in this way, or none',
    turn(exporter, query) {
      const mode = failMode(query.get('mode'))
      exporter.fail(mode)
      return mode === undefined ? 'Scrapes are answered again.' : `From now on scrapes fail: ${mode}.`
    },
  },
}

/** Answers 400 and the reason if a switch cannot be turned, 404 and 405 like any server. */
export async function answerSwitch(
  exporter: Exporter,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  const [status, sentence] = await turnSwitch(exporter, request)
  response.writeHead(status).end(`${sentence}\n`)
}

async function turnSwitch(exporter: Exporter, request: IncomingMessage): Promise<[status: number, sentence: string]> {
  const [path = '', query] = request.url!.split('?')
  if (path === '/-/') return [200, list(exporter)]
  const found = Object.hasOwn(switches, path) ? switches[path] : undefined
  if (found === undefined) return [404, 'There is no such switch; GET /-/ lists them all.']
  if (request.method !== 'POST') return [405, 'Switches are turned with POST.']
  try {
    return [200, found.turn(exporter, new URLSearchParams(query), await text(request))]
  } catch (error) {
    return error instanceof UnusableError ? [400, error.message] : [500, `This should not happen: ${error}`]
  }
}

function list(exporter: Exporter): string {
  const lines = Object.values(switches).map(({ usage, does }) => `  POST ${usage}\n      ${does}`)
  return `The exporter's clock shows ${formatInstant(exporter.now())}. Its switches:\n${lines.join('\n')}`
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name)
  if (value === null) throw new UnusableError(`Expected "${name}" after the question mark`)
  return value
}

/** A date in the query, or `now` by the exporter's clock. */
function instant(exporter: Exporter, query: URLSearchParams, name: string): Instant {
  const value = required(query, name)
  const at = value === 'now' ? exporter.now() : parseInstant(value)
  if (at === undefined)
    throw new UnusableError(`Expected "${name}" to be "now" or a date such as 2026-01-01, got "${value}"`)
  return at
}

/** `undefined` for no mode at all. */
function failMode(text: string | null): FailMode | undefined {
  if (text === null) return undefined
  const mode = failModes.find((known) => known === text)
  if (mode === undefined) throw new UnusableError(`Expected "mode" to be one of ${failModes.join(', ')}, got "${text}"`)
  return mode
}
