/** What is charged for, and what it would cost. */
import type { Meter } from '../../core/meters.ts'
import {
  decimal,
  digits,
  fields,
  instant,
  list,
  nullable,
  number,
  oneOf,
  perMeter,
  type Schema,
  text,
  whole,
} from '../schema.ts'

export const meters = perMeter('The meters by their name', ({ name, metric, unit, description }) =>
  fields({
    type: text('Kept from the old service', 'str'),
    description: text('What it is', description),
    name: text('The same as metric_name', metric),
    metric_name: text("The exporter's name for it", metric),
    friendly_name: text('The name of the meter', name),
    unit: text('Of what its price is', unit),
    price: decimal('Credits per unit, today', '1'),
    price_version: text('Which price that is', `${name}@2026-01-01=1`),
  }),
)

const size = ({ unit }: Meter): Schema => digits(`What it uses in an hour, in ${unit}`, 16)

export const sizes = perMeter('How much they have of each meter', size)

export const costs = number('Credits', 20.8)

const hoursPerDay = digits('How long they run each day, 0 to 24; 24 if not given', 8)

const machines = (count: string): Schema =>
  list(
    fields(
      { sizes: perMeter('How much one of them has of each meter', size) },
      {
        count: digits(count, 2),
        weights: perMeter('What sizes are multiplied with before they are priced', () =>
          digits('1 if not given', '2.5'),
        ),
        hours_per_day: hoursPerDay,
      },
    ),
    { description: 'Kinds of machines', minItems: 1 },
  )

const wish = { machines: machines('How many of them; 1 if not given') }
const change = { machines: machines('How many of them, below 0 if they are given up; 1 if not given') }
const days = digits('For how long', 91)
const project = { granted: digits('Credits that a running project was granted', 78_042) }
const used = { used: digits('Credits that it used; 0 if not given', '726.4') }
const hours = { hours_per_day: hoursPerDay }

export const planRequest = oneOf({
  'credits for some days': fields({ ...wish, days }, hours),
  'days for some credits': fields({ ...wish, credits: digits('Credits there are', 1_000) }, hours),
  'how long a project lasts': fields({ ...wish, ...project }, { ...used, ...hours }),
  'a change of a project': fields({ ...change, days, ...project }, { ...used, ...hours }),
})

// The examples are what the examples of requests are answered where a vCPU·h costs 1 and a GiB·h 0.3; a test computes them.
const common = {
  per_hour: decimal('Credits that all of them cost in an hour', '104'),
  per_day: decimal('The same on a day', '832'),
  prices: perMeter('The prices of the meters that they have', ({ name }) =>
    fields({
      price: decimal('Credits per unit', '1'),
      price_version: text('Which price that is', `${name}@2026-01-01=1`),
      until: nullable(instant('When another price begins to hold; null if none is known')),
    }),
  ),
}
const lasts = (days: number, hours: number): Schema =>
  nullable(
    fields(
      { days: whole('Whole days', days), hours: number('And hours of the day after them', hours) },
      {},
      { description: 'How long credits are enough; null is for ever' },
    ),
  )
const credits = decimal('What the days cost', '75712')
const grant = (example: string): Schema => text('What to ask for, in whole credits', example, { pattern: '^\\d+$' })
const left = decimal('What is left of the grant, below 0 if more was used', '77315.6')

export const plan = oneOf({
  'credits for some days': fields({ ...common, credits, grant: grant('75712') }),
  'days for some credits': fields({ ...common, lasts: lasts(1, 1.61) }),
  'how long a project lasts': fields({ ...common, left, lasts: lasts(92, 7.41) }),
  'a change of a project': fields(
    {
      ...common,
      credits,
      grant: grant('153754'),
      more: decimal('What the grant has to grow by', '75712'),
      left_after: decimal('What the days leave of the present grant', '1603.6'),
      left,
    },
    { lasts: lasts(92, 7.41) },
  ),
})
