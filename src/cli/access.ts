/** Which worker is asked, and with which key. */
import type { Access } from './client.ts'
import { UsageError } from './errors.ts'
import { printable } from './printable.ts'

export interface AccessSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Gives the content of a file, or throws as `readFileSync` does. */
  readFile(path: string): string
}

const DEFAULT_URL = 'http://127.0.0.1:8000'

/**
 * What is typed goes before the environment. An empty variable is none, as for the worker.
 *
 * @throws {UsageError} which never holds a key, or what was taken for one.
 */
export function accessOf(typed: { url?: string; key?: string }, sources: AccessSources): Access {
  return {
    url: readUrl(typed.url ?? given(sources, 'OS_CREDITS_URL') ?? DEFAULT_URL),
    key: findKey(typed.key, sources),
  }
}

function readUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new UsageError(`--url: expected an address such as ${DEFAULT_URL}, got ${JSON.stringify(printable(text))}.`)
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

function given({ env }: AccessSources, name: string): string | undefined {
  const text = env[name]
  return text === undefined || text.trim() === '' ? undefined : text
}
