/**
 * Asks a running worker, and turns what goes wrong into a sentence with what to do about it.
 *
 * Paths are sent exactly as they are written, so that a group named `..` can be asked for. A redirection is not followed:
 * it could lead the key to somebody else.
 */
import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp, STATUS_CODES } from 'node:http'
import { request as requestHttps } from 'node:https'
import { text } from 'node:stream/consumers'
import { type Fields, fieldsOf, show, strangeAnswer } from './answers.ts'
import { type CliError, KeyError, RefusedError, UnreachableError } from './errors.ts'
import { printable } from './printable.ts'

/** Where the worker is, and the key that it is shown. */
export interface Access {
  /** Without a slash at its end; may have a path, of a proxy. */
  readonly url: URL
  readonly key: string | undefined
}

export interface Answer {
  /** As it was sent. */
  readonly text: string
  readonly fields: Fields
}

export type Query = Readonly<Record<string, string | number | undefined>>

export interface Client {
  /** Where it asks. */
  readonly url: string
  /** @param accepted Statuses that are answers too, besides 200. */
  get(path: string, query?: Query, accepted?: readonly number[]): Promise<Answer>
  post(path: string, body: unknown): Promise<Answer>
  /** The answers that follow one another by their `next`, from the first one on. */
  pages(path: string, query?: Query): AsyncGenerator<Answer>
  /** The same as comma-separated values; the next one is named in a header. */
  csvPages(path: string, query?: Query): AsyncGenerator<string>
}

/** Without a sign of life for so long the worker is given up; a receipt over millions of entries takes some seconds. */
const PATIENCE_MS = 60_000

export function createClient({ url, key }: Access): Client {
  const base = url.pathname.replace(/\/+$/, '')
  const shown = printable(`${url.origin}${base}`)

  async function send(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ incoming: IncomingMessage; body: string }> {
    const content = body === undefined ? undefined : JSON.stringify(body)
    const outgoing = (url.protocol === 'https:' ? requestHttps : requestHttp)({
      method,
      host: url.hostname.replace(/[[\]]/g, ''),
      port: url.port,
      path: base + path,
      headers: {
        Accept: 'application/json',
        ...(key !== undefined && { 'X-API-KEY': key }),
        ...(content !== undefined && { 'Content-Type': 'application/json' }),
      },
    })
    outgoing.setTimeout(PATIENCE_MS, () => outgoing.destroy(new Error(`no answer for ${PATIENCE_MS / 1_000} s`)))
    outgoing.end(content)
    try {
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
      return { incoming, body: await text(incoming) }
    } catch (error) {
      throw unreachable(shown, error)
    }
  }

  /** @throws {CliError} if it is answered with none of these statuses, and none from 200 to 299. */
  async function exchange(method: string, path: string, body?: unknown, accepted: readonly number[] = []) {
    const { incoming, body: answer } = await send(method, path, body)
    const status = incoming.statusCode!
    const isFine = (status >= 200 && status < 300) || accepted.includes(status)
    if (!isFine) throw refusal({ shown, status, answer, hadKey: key !== undefined, headers: incoming.headers })
    return { headers: incoming.headers, answer }
  }

  async function ask(method: string, path: string, body?: unknown, accepted: readonly number[] = []): Promise<Answer> {
    const { answer } = await exchange(method, path, body, accepted)
    return { text: answer, fields: fieldsOf(parse(answer)) }
  }

  return {
    url: shown,
    get: (path, query = {}, accepted = []) => ask('GET', path + queryText(query), undefined, accepted),
    post: (path, body) => ask('POST', path, body),
    async *pages(path, query = {}) {
      let next: string | undefined = path + queryText(query)
      while (next !== undefined) {
        const answer: Answer = await ask('GET', next)
        yield answer
        next = nextOf(answer.fields.next)
      }
    },
    async *csvPages(path, query = {}) {
      let next: string | undefined = path + queryText({ ...query, format: 'csv' })
      while (next !== undefined) {
        const { headers, answer }: Awaited<ReturnType<typeof exchange>> = await exchange('GET', next)
        if (!/^text\/csv\b/.test(headers['content-type'] ?? '')) throw strangeAnswer()
        yield answer
        next = nextOf(/^<([^>]*)>; *rel="next"$/.exec(String(headers.link))?.[1])
      }
    },
  }
}

/** The part of a path that is a name: whatever is in it, it stays one part. */
export function inPath(name: string): string {
  return encodeURIComponent(/^\.{1,2}\/*$/.test(name) ? `${name}/` : name)
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}

/** @throws {UnreachableError} if it is no path of the same worker: what follows the host could make another host of it. */
function nextOf(next: unknown): string | undefined {
  if (next === null || next === undefined) return undefined
  if (typeof next === 'string' && /^\/[!-~]*$/.test(next)) return next
  throw new UnreachableError(`The answer names a next page that is none: ${show(next)}`)
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there. Does the worker run?',
  ENOTFOUND: 'there is no such host.',
  EAI_AGAIN: 'the name of the host cannot be looked up.',
  ECONNRESET: 'the connection was cut.',
  ETIMEDOUT: 'it takes too long.',
}

function unreachable(url: string, error: unknown): UnreachableError {
  const { code = '', message } = error as NodeJS.ErrnoException
  const reason = reasons[code] ?? `${printable(message)}.`
  return new UnreachableError(`No answer from ${url}: ${reason} --url or OS_CREDITS_URL says where the worker is.`)
}

interface Refused {
  readonly shown: string
  readonly status: number
  readonly answer: string
  readonly hadKey: boolean
  readonly headers: IncomingMessage['headers']
}

/** What an answer other than the wanted one means. The worker's own sentence comes first. */
function refusal({ shown, status, answer, hadKey, headers }: Refused): CliError {
  const { detail, task } = problemOf(answer)
  const name = `HTTP ${status} ${STATUS_CODES[status] ?? ''}`.trim()
  if (status === 401 || status === 403) {
    const hint = hadKey ? 'Compare the key with API_KEY of the worker.' : 'Set API_KEY or API_KEY_FILE, or use --key.'
    return new KeyError(`${detail ?? 'The key is refused.'} (${name}) ${hint}`, answer)
  }
  if (status === 429) {
    const wait = headers['retry-after'] === undefined ? '' : ` Try again in ${show(headers['retry-after'])} s.`
    return new RefusedError(`${detail ?? 'Too many requests.'} (${name})${wait}`, answer)
  }
  if (status >= 300 && status < 400) {
    return new UnreachableError(
      `${shown} leads to ${show(headers.location)} (${name}), which is not followed: give the right address with --url.`,
    )
  }
  if (detail === undefined) {
    return new UnreachableError(`${shown} answered ${name}, but not as a credits worker does. Is the address right?`)
  }
  const inTheLog = status >= 500 && task !== undefined ? `, task ${task} in its log` : ''
  return new RefusedError(`${detail} (${name}${inTheLog})`, answer)
}

function problemOf(answer: string): { detail?: string; task?: string } {
  const problem = parse(answer)
  if (typeof problem !== 'object' || problem === null) return {}
  const { detail, task } = problem as Fields
  return {
    ...(typeof detail === 'string' && { detail: printable(detail) }),
    ...(typeof task === 'string' && { task: printable(task) }),
  }
}
