/**
 * Who may ask what.
 *
 * With keys, a request has to carry one: `X-API-KEY: <key>` or `Authorization: Bearer <key>`; what pushes may send it as the
 * password of a login, because InfluxDB can send nothing else. The operator's key opens everything, the reader's key opens
 * what only looks at groups, the writer's key opens nothing but pushing.
 *
 * Without a key that could open a route, it answers only programs and browsers on this machine. A browser there also runs
 * pages of strangers, so requests that such a page could have caused are refused: from another site, or to a host name
 * that is not this machine's (a stranger's name may point to 127.0.0.1). What this cannot see is a proxy on this machine
 * that hides that it is one: behind a proxy, set a key.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'
import { ForbiddenError, UnauthorizedError, WrongKeyError } from './errors.ts'

/** Who a route is for. An operator may also do what a reader or a writer may. */
export type Who = 'all' | 'reader' | 'writer' | 'operator'

export type Role = Exclude<Who, 'all'>

/** The keys that are configured; an empty one is none. */
export interface Keys {
  readonly operator?: string | undefined
  readonly reader?: string | undefined
  /** Of programs that push readings. */
  readonly writer?: string | undefined
}

/** The part of an `IncomingMessage` that tells who asks. */
export interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/**
 * Lets a request pass, or throws why not.
 *
 * @param session What the session of a browser opens (`door.ts`), where a session counts.
 */
export type Gate = (who: Who, request: Asked, session?: Role) => void

/**
 * @returns A gate that throws {UnauthorizedError} if the key is missing or wrong, and {ForbiddenError} if the key is not
 *   enough or, without keys, the request is not from here.
 */
export function createGate(keys: Keys): Gate {
  const rolesOf = createKeyring(keys)
  const known = fingerprints(keys)
  const opens = (role: Role, who: Role) => role === 'operator' || role === who

  return (who, request, session) => {
    if (who === 'all') return
    if (!known.some(({ role }) => opens(role, who))) return checkIsFromHere(who, request)
    const presented = [...keysOf(request), ...(who === 'writer' ? passwordOf(request) : [])]
    const roles = [...rolesOf(presented), ...(session === undefined ? [] : [session])]
    if (roles.some((role) => opens(role, who))) return
    if (roles.length > 0) throw new ForbiddenError(`${needed[who]}; the one that was sent is that of a ${roles[0]}.`)
    if (presented.length > 0) throw new WrongKeyError()
    throw new UnauthorizedError('This needs a key: send it as X-API-KEY or as Authorization: Bearer.')
  }
}

const needed: Readonly<Record<Role, string>> = {
  operator: 'This needs the key of an operator',
  reader: 'This needs the key of a reader',
  writer: 'This needs the key of a writer',
}

/** Tells what keys open. */
export function createKeyring(keys: Keys): (presented: readonly string[]) => Role[] {
  const known = fingerprints(keys)
  return (presented) => {
    const digests = presented.map(digest)
    return known.filter(({ key }) => digests.some((each) => timingSafeEqual(each, key))).map(({ role }) => role)
  }
}

function fingerprints({ operator, reader, writer }: Keys): { role: Role; key: Buffer }[] {
  return [...fingerprint('operator', operator), ...fingerprint('reader', reader), ...fingerprint('writer', writer)]
}

function fingerprint(role: Role, key: string | undefined): { role: Role; key: Buffer }[] {
  return key === undefined || key === '' ? [] : [{ role, key: digest(key) }]
}

/** Digests have the same length whatever the key, so comparing them takes the same time. */
function digest(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

function keysOf({ headers }: Asked): string[] {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  return [headers['x-api-key'], bearer].filter((key) => typeof key === 'string')
}

/** The key as the password of a login, whatever its name. */
function passwordOf({ headers }: Asked): string[] {
  const login = /^Basic +([\w+/=-]+) *$/i.exec(headers.authorization ?? '')?.[1]
  const text = login === undefined ? '' : Buffer.from(login, 'base64').toString()
  return text.includes(':') ? [text.slice(text.indexOf(':') + 1)] : []
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** What a proxy adds to a request that it passes on. */
const FORWARDING = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']

/** This machine as a browser on it may call it. */
const ownHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

const settingsOf: Readonly<Record<Role, string>> = {
  operator: 'API_KEY',
  reader: 'API_KEY or API_READER_KEY',
  writer: 'API_KEY or API_WRITER_KEY',
}

function checkIsFromHere(who: Role, request: Asked): void {
  const setting = settingsOf[who]
  const { headers } = request
  if (!isLoopback(request.socket.remoteAddress)) {
    throw new ForbiddenError(`Without a key only this machine is answered: set ${setting} and send that key.`)
  }
  if (FORWARDING.some((name) => headers[name] !== undefined)) {
    throw new ForbiddenError(
      `Without a key requests through a proxy are not answered: set ${setting} and send that key.`,
    )
  }
  if (!ownHost.test(headers.host ?? '')) {
    throw new ForbiddenError(
      `Without a key this is only answered as localhost or 127.0.0.1: use that name or set ${setting}.`,
    )
  }
  if (isCrossSite(request)) {
    throw new ForbiddenError(`Without a key requests from pages of other sites are not answered: set ${setting}.`)
  }
}

function isLoopback(address: string | undefined): boolean {
  // An IPv4 address that arrived over IPv6 (`::ffff:127.0.0.1`) is found in the IPv4 list.
  return address !== undefined && loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function isCrossSite({ headers }: Asked): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  return headers.origin !== undefined && headers.origin.toLowerCase() !== `http://${headers.host}`.toLowerCase()
}
