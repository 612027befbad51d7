/** The address of a database: as the driver wants it, and as it may be told. */
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { ClientConfig } from 'pg'
import { LedgerError } from '../ledger.ts'

/** @throws {LedgerError} if it cannot be read; the message does not have it, for it may hold a password. */
export function readAddress(address: string): ClientConfig {
  const url = parse(address)
  const { searchParams: given } = url
  const password = decodeURIComponent(url.password)
  return {
    host: given.get('host') ?? url.hostname,
    port: Number(url.port || 5_432),
    // As PostgreSQL's own programs do it.
    user: decodeURIComponent(url.username) || userInfo().username,
    ...(password !== '' && { password }),
    database: decodeURIComponent(url.pathname.slice(1)),
    ssl: encryption(given.get('sslmode'), given.get('sslrootcert')),
  }
}

function encryption(mode: string | null, authority: string | null): ClientConfig['ssl'] {
  if (mode === null || mode === 'disable') return false
  if (mode === 'require') return { rejectUnauthorized: false }
  return authority === null ? true : { ca: readAuthority(authority) }
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new LedgerError(`The certificate authority ${path} of the ledger cannot be read.`, { cause: error })
  }
}

/** The address without password and parameters. */
export function placeOf(address: string): string {
  const url = parse(address)
  url.password = ''
  url.search = ''
  return String(url)
}

function parse(address: string): URL {
  const url = URL.parse(address)
  if (url === null) throw new LedgerError('The address of the ledger cannot be read.')
  return url
}
