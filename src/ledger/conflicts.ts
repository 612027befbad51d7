/** Notes of conflicts: a ledger keeps one of a series in an hour. */
import { HOUR } from '../core/time.ts'

/** A peer whose clock was set back contradicts all that it said before, with each series and each scrape. */
export const CONFLICTS_APART = HOUR
