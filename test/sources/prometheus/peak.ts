/** A program that scrapes `node peak.ts <url>` as the worker does, and says what came of it and how much memory it took. */

import { ScrapeError, scrape } from '#src/sources/prometheus/scrape.ts'
import { meters } from '../../helpers/meters.ts'

const request = { url: process.argv[2]!, timeout: 60_000, signal: new AbortController().signal }
const rules = { meters, labels: new Map(), site: '8676', at: Date.now() }
const came = await scrape(request, rules).then(
  ({ readings, rejected }) => ({ readings: readings.length, unreadable: rejected.unreadable }),
  (error: unknown) => {
    if (error instanceof ScrapeError) return { reason: error.reason }
    throw error
  },
)
// `maxRSS` is in kilobytes.
process.stdout.write(JSON.stringify({ ...came, peak: Math.round(process.resourceUsage().maxRSS / 1_024) }))
