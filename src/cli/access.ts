/** Which worker is asked, and with which key. */
import { isIPv6 } from 'node:net'
import type { Access } from './client.ts'
import { UsageError } from './errors.ts'
import { printable } from './printable.ts'

export interface AccessSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Gives the content of a file, or throws as `readFileSync` does. */
  readFile(path: string): string
}

const EXAMPLE = 'http://127.0.0.1:8000'

/** Where a worker listens that is told nothing else. */
const HOST = '127.0.0.1'
const PORT = '8000'

/** What a worker that listens everywhere is asked at. */
const loopbacks: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }

/**
 * What is typed goes before the environment, and an address before where a worker with this environment would listen: the
 * key in it is that worker's. An empty variable is none, as for the worker.
 *
 * @throws {UsageError} which never holds a key, or what was taken for one.
 */
export function accessOf(typed: { url?: string; key?: string }, sources: AccessSources): Access {
  return {
    url: readUrl(typed.url ?? given(sources, 'OS_CREDITS_URL') ?? whereItListens(sources)),
    key: findKey(typed.key, sources),
  }
}

/** The address that is asked if none is typed; `undefined` if the environment names none that can be used. */
export function usualUrl(sources: Pick<AccessSources, 'env'>): URL | undefined {
  try {
    return readUrl(given(sources, 'OS_CREDITS_URL') ?? whereItListens(sources))
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}

function whereItListens(sources: Pick<AccessSources, 'env'>): string {
  const [host, port] = [given(sources, 'CREDITS_HOST')?.trim() ?? HOST, given(sources, 'CREDITS_PORT')?.trim() ?? PORT]
  const url = `http://${loopbacks[host] ?? (isIPv6(host) ? `[${host}]` : host)}:${port}`
  if (Number(port) > 0 && URL.canParse(url)) return url
  throw new UsageError('CREDITS_HOST and CREDITS_PORT do not tell where the worker is. --url or OS_CREDITS_URL does.')
}

function readUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new UsageError(`--url: expected an address such as ${EXAMPLE}, got ${JSON.stringify(printable(text))}.`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('--url: expected an address without a login in it. The key belongs into API_KEY.')
  }
  return url
}

function findKey(typed: string | undefined, sources: AccessSources): string | undefined {
  if (typed !== undefined) return readKey(typed, '--key')
  const [key, path] = [given(sources, 'API_KEY'), given(sources, 'API_KEY_FILE')?.trim()]
  if (key !== undefined && path !== undefined) throw new UsageError('Expected API_KEY or API_KEY_FILE, got both.')
  if (path === undefined) return key === undefined ? undefined : readKey(key, 'API_KEY')
  return readKey(readFile(path, sources).replace(/[\r\n]+$/, ''), 'API_KEY_FILE')
}

function readKey(text: string, from: string): string {
  if (/^[!-~]+$/.test(text)) return text
  throw new UsageError(
    `${from}: expected a key of letters, digits and signs without blanks; what is there is not shown.`,
  )
}

/** Not even the path is shown: it may be the key itself, put into the wrong variable. */
function readFile(path: string, { readFile: read }: AccessSources): string {
  try {
    return read(path)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read'
    throw new UsageError(`API_KEY_FILE: expected a file that can be read (${reason}).`)
  }
}

function given({ env }: Pick<AccessSources, 'env'>, name: string): string | undefined {
  const text = env[name]
  return text === undefined || text.trim() === '' ? undefined : text
}
