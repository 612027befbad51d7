/**
 * Which notices are news when a mail is written: those about the grant that the group has by then.
 *
 * A grant may change while a mail gathers, even back and forth. Told one beside another, notices about each of them would
 * contradict each other.
 */
import { formatDecimal, parseDecimal } from '../core/decimals.ts'
import type { GroupRow, Ledger, StoredNotice } from '../ledger/ledger.ts'

type Reader = Pick<Ledger, 'group' | 'notices' | 'tellings'>

export interface News {
  readonly told: readonly StoredNotice[]
  /** About a grant that another one took the place of. */
  readonly overtaken: readonly StoredNotice[]
  /** Those of `told` that come instead of overtaken ones. */
  readonly instead: readonly StoredNotice[]
}

/** Of so many notices of a group the one that says how it stands now is among the newest. */
const NEWEST = 100

/** @param to The mail address that is told. */
export async function newsOf(notices: readonly StoredNotice[], to: string, ledger: Reader): Promise<News> {
  const overtaken: StoredNotice[] = []
  const instead: StoredNotice[] = []
  for (const [group, all] of Map.groupBy(notices, (notice) => notice.group)) {
    const granted = grantOf(await ledger.group(group))
    const old = granted === undefined ? [] : all.filter((notice) => notice.granted !== granted)
    overtaken.push(...old)
    if (!old.some(isLine) || all.some((notice) => isLine(notice) && !old.includes(notice))) continue
    const standing = await untold(group, granted!, to, ledger)
    if (standing !== undefined) instead.push(standing)
  }
  const told = [...notices.filter((notice) => !overtaken.includes(notice)), ...instead]
  return { told: told.sort((a, b) => a.id - b.id), overtaken, instead }
}

/**
 * The highest line of the present grant that is reached, if `to` was not told of it: a line that was reached with the grant
 * before is passed, as whoever was told of that knows. Now nobody is told of that.
 */
async function untold(group: string, granted: string, to: string, ledger: Reader): Promise<StoredNotice | undefined> {
  const lines = (await ledger.notices({ group, limit: NEWEST })).filter(
    (notice) => isLine(notice) && notice.granted === granted,
  )
  const [highest] = lines.sort((a, b) => b.line - a.line)
  if (highest === undefined || !['passed', 'addressed', 'sent'].includes(highest.state)) return undefined
  const tellings = await ledger.tellings([highest.id])
  const isTold = tellings.some((each) => each.channel === 'mail' && each.to.toLowerCase() === to.toLowerCase())
  return isTold ? undefined : highest
}

function isLine({ kind }: StoredNotice): boolean {
  return kind === 'threshold'
}

/** As notices name it; `undefined` if Perun's text is no number. */
function grantOf(row: GroupRow | undefined): string | undefined {
  const grant = row?.granted === undefined ? undefined : parseDecimal(row.granted)
  return grant === undefined ? undefined : formatDecimal(grant)
}
