/**
 * Mail addresses as we take them: `name@host.example`, ASCII, with nothing around it.
 *
 * The standard allows much more (quotes, comments, blanks), and that is what breaks headers of a mail or turns one address
 * into several. None of it is in use.
 */

const LONGEST_ADDRESS = 254
const pattern =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)$/
const LONGEST_NAME = 64

/** The address, its host in small letters; `undefined` if it is none. */
export function readMailAddress(given: unknown): string | undefined {
  const address = typeof given === 'string' && given.length <= LONGEST_ADDRESS + 2 ? given.trim() : ''
  if (address.length > LONGEST_ADDRESS || !pattern.test(address)) return undefined
  const at = address.lastIndexOf('@')
  return at > LONGEST_NAME ? undefined : `${address.slice(0, at)}${address.slice(at).toLowerCase()}`
}
