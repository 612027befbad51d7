/** Where the ledger is: the file of SQLite, or a database of PostgreSQL. */
import { type Parser, quote, quoteAddress, Unexpected } from './parsers.ts'

export type LedgerLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  /** With the password. */
  | { readonly kind: 'postgres'; readonly url: string }

const EXPECTED = 'sqlite:path/to/file.db or postgres://user:password@host:5432/database'

/** What is understood after the `?`. */
const understood = ['host', 'sslmode', 'sslrootcert']

/** `disable`: unencrypted. `require`: encrypted, to whoever answers. `verify-full`: encrypted, to whom the certificate names. */
const sslModes = ['disable', 'require', 'verify-full']

export const ledgerLocation: Parser<LedgerLocation> = (given) => {
  if (isPostgres(given)) return { kind: 'postgres', url: databaseAddress(given) }
  const path = given.startsWith('sqlite:') ? given.slice('sqlite:'.length) : ''
  if (path === '' || path.startsWith('//')) throw new Unexpected(EXPECTED, quoteAddress(given))
  if (path === ':memory:' || path.startsWith('file:')) {
    throw new Unexpected('the path of a file, as a ledger in memory forgets what was charged', quote(given))
  }
  return { kind: 'sqlite', path }
}

export function isPostgres(given: string): boolean {
  return /^postgres(?:ql)?:/.test(given)
}

/** Nothing of it is in a problem but what cannot hold a password. */
function databaseAddress(given: string): string {
  const hidden = 'an address that is not shown, as it may hold a password'
  const url = URL.parse(given)
  if (url === null || !/^\/[^/]+$/.test(url.pathname) || url.hash !== '') throw new Unexpected(EXPECTED, hidden)
  const strange = [...url.searchParams.keys()].filter((name) => !understood.includes(name))
  if (strange.length > 0) throw new Unexpected(`no parameters but ${understood.join(', ')} after the ?`, hidden)
  if (url.hostname === '') throw new Unexpected(EXPECTED, hidden)
  const mode = url.searchParams.get('sslmode')
  if (mode !== null && !sslModes.includes(mode)) throw new Unexpected(`sslmode=${sslModes.join(', ')}`, hidden)
  return given
}

/** The setting as it may be shown: without a password. */
export function showLedger(given: string): string {
  if (!isPostgres(given)) return quoteAddress(given).replace(/^"(.*)"$/, '$1')
  const url = URL.parse(given)
  return url === null ? 'not shown' : withoutSecrets(url)
}

/** A path, or an address without a password. */
export function describeLedger(location: LedgerLocation): string {
  return location.kind === 'sqlite' ? location.path : withoutSecrets(new URL(location.url))
}

function withoutSecrets(url: URL): string {
  url.password = ''
  url.search = ''
  return String(url)
}

/** What must be in no line of the log. */
export function secretsOfLedger(location: LedgerLocation): string[] {
  if (location.kind === 'sqlite') return []
  const { password } = new URL(location.url)
  return [password, decodeURIComponent(password)].filter((secret) => secret !== '')
}
