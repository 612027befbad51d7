/** Sentences for operators: what is held, and what became of a series. */
import { describeJump } from '../core/causes.ts'
import type { Jump } from '../core/classify.ts'
import { describePoint, type FormerLine, type HeldReason, type Point } from '../core/decide.ts'
import { formatDecimal, subtract } from '../core/decimals.ts'
import { type Series, seriesKey } from '../core/series.ts'
import { formatInstant } from '../core/time.ts'
import type { Hold } from '../ledger/ledger.ts'
import { clockKey, newSeriesClockKey, unitKey } from './sites.ts'

/** The hold about growth `to − from`. What goes on for long has one key, so that it is one hold. */
export function describeHold(
  series: Series,
  kind: Exclude<HeldReason, 'clock ahead'>,
  { from, to, jump }: { from: Point; to: Point; jump: Jump | undefined },
): Hold {
  const { site, metric, projectName: group } = series
  const grew = `${metric} of ${group} at site ${site} grew by ${formatDecimal(subtract(to.value, from.value))} between ${formatInstant(from.at)} and ${formatInstant(to.at)}`
  switch (kind) {
    case 'unit switched': {
      const reason = `Site ${site} counts ${metric} in another unit. ${describeJump('unit switched')} Dismiss the hold if the growth was never consumed.`
      return { key: unitKey(series), kind, site, reason }
    }
    case 'site jump': {
      if (jump?.begun !== undefined) return { key: jump.begun.key, kind, site, reason: jump.begun.reason }
      const reason = `Projects of site ${site} jumped together (${metric}, about ${formatInstant(to.at)}). ${describeJump(jump?.cause ?? 'unknown')} What they jumped by is not charged; what they grow by from there is.`
      return { key: `${kind}/${site}/${metric}/${to.at}`, kind, site, reason }
    }
    case 'series merged': {
      const reason = `${grew}, about the total of ${jump?.other ?? 'another project'}, which is gone from the sums. ${describeJump('series merged')} This growth is not charged.`
      return { key: `${kind}/${seriesKey(series)}/${to.at}`, kind, site, group, reason }
    }
    case 'unclear after a fall': {
      const reason = `${grew} after a fall, and no pace explains it: machines may have come back into the sum. It is not charged, and it is withdrawn when the total is back where it fell from.`
      return { key: `${kind}/${seriesKey(series)}`, kind, site, group, reason }
    }
    case 'implausible growth': {
      const why =
        jump === undefined
          ? 'more than its meter allows'
          : 'which its pace does not explain: check the weights and the start date of the exporter, and what the project started'
      const reason = `${grew}, ${why}. This growth is not charged.`
      return { key: `${kind}/${seriesKey(series)}/${to.at}`, kind, site, group, reason }
    }
  }
}

/**
 * The hold about a site's clock. Of series that were never opened there may be any number, of any number of sites: they share
 * one hold for the source they come from.
 *
 * @param source Given for a series that was never opened.
 */
export function describeClockAhead(series: Series, to: Point, source: string | undefined): Hold {
  const { site, metric } = series
  const whose = source === undefined ? `site ${site}` : `new series of ${source}, of site ${site} for one`
  const reason = `Readings of ${whose} (${metric}) are later than our clock, the last one at ${formatInstant(to.at)}. They are dropped until the clocks agree: check NTP on both machines.`
  const key = source === undefined ? clockKey(series) : newSeriesClockKey(source)
  return { key, kind: 'clock ahead', site, reason }
}

/** @param fate What becomes of what exceeds that line. */
export function describeRecovery(
  { from, to }: { readonly from: Point; readonly to: Point },
  former: FormerLine,
  fate: 'charged' | 'held',
): string {
  const excess = formatDecimal(subtract(to.value, from.value))
  return `Back on the line it left at ${describePoint(former)}, now ${describePoint(to)}: ${formatDecimal(former.charged)} was charged since, ${excess} is ${fate} now.`
}
