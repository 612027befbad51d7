/** A forecast as JSON: credits as decimal strings, rounded to a micro-credit because they are approximate. */
import { formatCredits } from '../core/credits.ts'
import type { RunOut } from '../core/forecast.ts'
import { formatInstant } from '../core/time.ts'
import type { GroupForecast } from '../ledger/forecasts.ts'
import { instantOrNull } from './groupJson.ts'

/** @param forecast `undefined` where too little was charged yet to tell anything; the kind of its date is `unknown`. */
export function forecastJson(forecast: GroupForecast | undefined) {
  if (forecast === undefined) {
    return { based_on: null, burn_per_day: null, runs_out: { ...noDates, kind: 'unknown' as const }, curve: [] }
  }
  return {
    based_on: { days: forecast.days, until: formatInstant(forecast.until) },
    burn_per_day: formatApproximate(forecast.burnPerDay),
    runs_out: runOutJson(forecast.runsOut),
    curve: forecast.curve.map(({ at, low, expected, high }) => ({
      at: formatInstant(at),
      low: formatApproximate(low),
      expected: formatApproximate(expected),
      high: formatApproximate(high),
    })),
  }
}

const noDates = { at: null, early: null, late: null }

function runOutJson(runsOut: RunOut) {
  const { kind } = runsOut
  if (kind === 'expected') {
    return {
      kind,
      at: formatInstant(runsOut.at),
      early: formatInstant(runsOut.early),
      late: instantOrNull(runsOut.late),
    }
  }
  return { ...noDates, kind, ...(kind === 'never' && { early: instantOrNull(runsOut.early) }) }
}

/** @param credits As a double. */
export function formatApproximate(credits: number): string {
  return formatCredits(BigInt(Math.round(credits * 1e6)))
}
