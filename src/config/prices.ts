/**
 * What is charged for and at what price: from the prices file, from METRICS_TO_BILL of the old service, or by default.
 *
 * A prices file carries worked examples with it. They are computed with the prices of the file at the start, so a price
 * that somebody mistyped stops the start instead of charging a thousand projects.
 */
import { add, compare, type Decimal, decimal, formatDecimal, multiply, zero } from '../core/decimals.ts'
import { type Meter, type Meters, type Price, priceAt } from '../core/meters.ts'
import { formatInstant, type Instant } from '../core/time.ts'
import { amount, instant, matching, positiveAmount, quoteHidingLogin, text } from './parsers.ts'
import { type Place, type Report, readTree } from './place.ts'

type Defaults = Omit<Meter, 'metric' | 'prices'>

/** The meters that every usage exporter has. */
const usual: Readonly<Record<string, Defaults & { price: string }>> = {
  project_vcpu_usage: {
    name: 'cpu',
    unit: 'vCPU·h',
    description: 'Hours of virtual CPUs',
    maxGrowthPerHour: decimal('10000'),
    price: '1',
  },
  project_mb_usage: {
    name: 'ram',
    unit: 'GiB·h',
    description: 'Hours of GiB of memory',
    maxGrowthPerHour: decimal('100000'),
    price: '0.3',
  },
}

const OTHER_MAX_GROWTH = decimal('1000000')

const METRIC_NAME = /^[A-Za-z_:][A-Za-z0-9_:]*$/
const metricName = matching(METRIC_NAME, "the exporter's name of a metric")
const meterName = matching(
  /^[A-Za-z][A-Za-z0-9_.-]*$/,
  'a name of letters, digits, _, . and - that begins with a letter',
)

/** vCPU·h at 1 and GiB·h at 0.3, under the names of the usage exporter. */
export function defaultMeters(): Meters {
  return byMetric(Object.entries(usual).map(([metric, { price }]) => alwaysAt(metric, decimal(price))))
}

/** Reads METRICS_TO_BILL: a JSON object with the price of each metric. Problems are reported and leave meters out. */
export function metersToBill(json: string, report: Report): Meters {
  if (!json.trimStart().startsWith('{')) {
    report('expected a JSON object with a price for each metric, such as {"project_vcpu_usage": 1}')
    return new Map()
  }
  const entries = readTree(json, report)?.entries({ least: 1 }) ?? []
  const meters = entries.map(([metric, place]): Found => {
    const price = place.read(amount)
    if (!METRIC_NAME.test(metric)) place.problem('the name of a metric as key', quoteHidingLogin(metric))
    return [place, price === undefined ? undefined : alwaysAt(metric, price)]
  })
  return byMetric(unique(meters))
}

/** Reads a prices file. Problems are reported with their place in it; the meters are good only if there are none. */
export function readPrices(content: string, report: Report): Meters {
  let isGood = true
  const root = readTree(content, (problem) => {
    isGood = false
    report(problem)
  })
  const fields = root?.fields('meters', 'examples')
  if (fields === undefined) return new Map()
  const { examples } = fields
  const meters = unique(fields.meters.items().map((place): Found => [place, readMeter(place)]))
  if (isGood && examples.isGiven) for (const example of examples.items()) checkExample(example, meters)
  return byMetric(meters)
}

/** A meter with one price for all times. */
function alwaysAt(metric: string, perUnit: Decimal): Meter {
  const { name, unit, description, maxGrowthPerHour } = defaultsOf(metric)
  return {
    metric,
    name,
    unit,
    description,
    maxGrowthPerHour,
    prices: [priceFrom(name, Number.NEGATIVE_INFINITY, perUnit)],
  }
}

function defaultsOf(metric: string | undefined): Defaults {
  const known = metric !== undefined && Object.hasOwn(usual, metric) ? usual[metric] : undefined
  return known ?? { name: metric ?? '', unit: 'unit', description: '', maxGrowthPerHour: OTHER_MAX_GROWTH }
}

/** Prices are named by their day where they begin at midnight, as they mostly do. */
function priceFrom(meter: string, from: Instant, perUnit: Decimal): Price {
  const start = from === Number.NEGATIVE_INFINITY ? 'always' : formatInstant(from).replace('T00:00:00.000Z', '')
  // With the price itself: whoever changes a price in the file without dating it makes another version.
  return { version: `${meter}@${start}=${formatDecimal(perUnit)}`, from, perUnit }
}

function readMeter(place: Place): Meter | undefined {
  const fields = place.fields('metric', 'name', 'unit', 'description', 'max_growth_per_hour', 'prices')
  if (fields === undefined) return undefined
  const metric = fields.metric.read(metricName)
  const defaults = defaultsOf(metric)
  const name = fields.name.readOr(meterName, defaults.name)
  const unit = fields.unit.readOr(text, defaults.unit)
  const description = fields.description.readOr(text, defaults.description)
  const maxGrowthPerHour = fields.max_growth_per_hour.readOr(positiveAmount, defaults.maxGrowthPerHour)
  const prices = readPriceList(fields.prices, name ?? '')
  const isComplete = metric && name && unit && description !== undefined && maxGrowthPerHour
  return isComplete ? { metric, name, unit, description, maxGrowthPerHour, prices } : undefined
}

function readPriceList(place: Place, meter: string): Price[] {
  const prices: Price[] = []
  place.items().forEach((item, index) => {
    const fields = item.fields('from', 'price')
    if (fields === undefined) return
    const perUnit = fields.price.read(amount)
    const start = readStart(fields.from, index, prices.at(-1)?.from)
    if (perUnit !== undefined && start !== undefined) prices.push(priceFrom(meter, start, perUnit))
  })
  return prices
}

/** The first price holds from the beginning of time, so that no reading is without one; each other begins later. */
function readStart(from: Place, index: number, previous: Instant | undefined): Instant | undefined {
  if (index === 0) {
    if (from.isGiven) from.problem('no date for the first price: it holds until the next one begins')
    return Number.NEGATIVE_INFINITY
  }
  const start = from.read(instant)
  if (start !== undefined && previous !== undefined && start <= previous)
    from.problem('a later date than the price before')
  return start
}

/** A meter, if it could be read, and where. */
type Found = [Place, Meter | undefined]

/** The meters that could be read. Two with the same name or metric could not be told apart. */
function unique(found: Found[]): Meter[] {
  const taken = new Set<string>()
  for (const [place, meter] of found) {
    for (const mark of meter === undefined ? [] : [`metric ${meter.metric}`, `name ${meter.name}`]) {
      if (taken.has(mark)) place.problem('each metric and each name once', `the ${mark} again`)
      taken.add(mark)
    }
  }
  return complete(found.map(([, meter]) => meter))
}

/** Computes what the consumption of an example costs and compares it with what the example says. */
function checkExample(place: Place, meters: readonly Meter[]): void {
  const fields = place.fields('name', 'at', 'consumption', 'credits')
  if (fields === undefined) return
  const name = fields.name.read(text)
  const at = fields.at.read(instant)
  const expected = fields.credits.read(amount)
  const parts = fields.consumption
    .entries({ least: 1 })
    .map(([meter, quantity]) => readPart(quantity, meter, meters, at))
  const known = complete(parts)
  if (name === undefined || expected === undefined || known.length === 0 || known.length < parts.length) return
  const sum = known.reduce((total, part) => add(total, part.credits), zero)
  if (compare(sum, expected) === 0) return
  const arithmetic = known.map((part) => part.arithmetic)
  fields.credits.problem(`${formatDecimal(sum)} for "${name}" (${arithmetic.join(' + ')})`, formatDecimal(expected))
}

function readPart(place: Place, name: string, meters: readonly Meter[], at: Instant | undefined) {
  const quantity = place.read(amount)
  const meter = meters.find((candidate) => candidate.name === name)
  if (meter === undefined)
    place.problem(`one of the meters ${meters.map((known) => known.name).join(', ')}`, `"${name}"`)
  if (meter === undefined || quantity === undefined || at === undefined) return undefined
  const { perUnit } = priceAt(meter, at)
  const arithmetic = `${name} ${formatDecimal(quantity)} × ${formatDecimal(perUnit)}`
  return { credits: multiply(quantity, perUnit), arithmetic }
}

function complete<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined)
}

function byMetric(meters: readonly Meter[]): Meters {
  return new Map(meters.map((meter) => [meter.metric, meter]))
}
