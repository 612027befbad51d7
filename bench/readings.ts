/** From the text of an exposition to a delivery, as the scrape loop makes it. */
import type { AdmissionRules } from '#src/core/admit.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Meter, Meters } from '#src/core/meters.ts'
import { systemClock } from '#src/core/time.ts'
import { readExposition } from '#src/sources/prometheus/scrape.ts'
import type { Delivery } from '#src/sources/source.ts'
import { SITE } from './perun.ts'

const meters: Meters = new Map(
  [meter('cpu', 'project_vcpu_usage', '1'), meter('ram', 'project_mb_usage', '0.3')].map((each) => [each.metric, each]),
)

function meter(name: string, metric: string, price: string): Meter {
  const prices = [{ version: `${name}@always`, from: Number.NEGATIVE_INFINITY, perUnit: decimal(price) }]
  // Hours of the made-up site pass in seconds.
  return { name, metric, unit: 'h', description: name, maxGrowthPerHour: decimal('1000000000'), prices }
}

export const readings = {
  billing: { meters, clock: systemClock, maxSeries: 1_000_000 },
  rules(at = systemClock.now(), site: string | number = SITE): AdmissionRules {
    return { meters, labels: new Map(), site: String(site), at }
  },
  /** @param site Where the exporter measures; the only one of the made-up Perun if not given. */
  from(text: string, at = systemClock.now(), site: string | number = SITE): Delivery {
    return { id: 'bench', source: 'bench', receivedAt: at, ...readExposition(text, 'text', readings.rules(at, site)) }
  },
}
