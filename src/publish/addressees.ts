/** Who is told of a notice by mail. */
import { readMailAddress } from '../core/mailAddress.ts'
import type { Addressing, Recipient } from '../ledger/ledger.ts'

export interface AddresseesOptions {
  /** What Perun holds as the addresses of a group's people; not given without a Perun. */
  readonly peopleOf?: (group: string) => Promise<readonly unknown[]>
  /** Gets a copy of each notice, or is told alone. */
  readonly governance?: string
  /** Gets all instead of anybody else. */
  readonly instead?: string
}

export interface Addressees extends Pick<Addressing, 'copyTo' | 'state'> {
  readonly to: readonly Recipient[]
  /** How many addresses were none, or too many. */
  readonly skipped: number
}

/** More people than this are a mailing list, which has an address of its own. */
const MOST_PEOPLE = 50

/** @throws what `peopleOf` throws. */
export async function addresseesOf(
  group: string,
  { peopleOf, governance, instead }: AddresseesOptions,
): Promise<Addressees> {
  if (instead !== undefined) return { to: [mailTo(instead)], state: 'addressed', skipped: 0 }
  const given = (await peopleOf?.(group)) ?? []
  const valid = given.map(readMailAddress).filter((address) => address !== undefined)
  const people = [...new Map(valid.map((address) => [address.toLowerCase(), address])).values()].slice(0, MOST_PEOPLE)
  const skipped = given.length - valid.length + Math.max(0, new Set(valid.map(lower)).size - MOST_PEOPLE)
  const copy =
    governance === undefined || people.some((address) => lower(address) === lower(governance)) ? undefined : governance
  if (people.length > 0) {
    return { to: people.map(mailTo), state: 'addressed', skipped, ...(copy !== undefined && { copyTo: copy }) }
  }
  return { to: governance === undefined ? [] : [mailTo(governance)], state: 'no recipient', skipped }
}

const lower = (address: string) => address.toLowerCase()
const mailTo = (address: string): Recipient => ({ channel: 'mail', to: address })
