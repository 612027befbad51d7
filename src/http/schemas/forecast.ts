/** When credits run out. */
import { csvSchema } from '../format.ts'
import { forecastColumns } from '../groupCsv.ts'
import { decimal, fields, instant, list, named, nullable, oneOf, text, whole, word } from '../schema.ts'
import { groupName } from './common.ts'
import { granted } from './groups.ts'

const nothing = { type: 'null', description: 'There is none' }
const noDates = { at: nothing, early: nothing, late: nothing }

const runsOut = oneOf({
  expected: fields({
    kind: word('At this pace they run out', ['expected']),
    at: instant(
      'Most likely; may have passed if nothing was measured since based_on.until',
      '2026-04-03T08:00:00.000Z',
    ),
    early: instant('In four of five cases not before', '2026-03-20T08:00:00.000Z'),
    late: nullable(instant('And not after; null if it may as well be never', '2026-04-25T08:00:00.000Z')),
  }),
  never: fields({
    ...noDates,
    kind: word('At this pace they do not', ['never']),
    early: nullable(instant('But they may from then on', '2027-01-01T00:00:00.000Z')),
  }),
  other: fields({
    ...noDates,
    kind: word('They have run out, no grant is known, or too little was charged to tell', [
      'already',
      'no grant',
      'unknown',
    ]),
  }),
})

const point = named(
  'ForecastPoint',
  fields(
    {
      at: instant('The end of a day in UTC', '2026-02-01T00:00:00.000Z'),
      low: decimal('In nine of ten cases it is more', '30.1'),
      expected: decimal('Most likely', '33.5'),
      high: decimal('In nine of ten cases it is less', '38'),
    },
    {},
    { description: 'Used credits that are to be expected' },
  ),
)

export const forecast = fields({
  group: groupName,
  used: decimal('Used credits now', '25.5'),
  granted,
  based_on: {
    ...nullable(
      fields({ days: whole('How many days of charges', 30, { minimum: 1 }), until: instant('The last reading') }),
    ),
    description: 'Null if too little was charged yet',
  },
  burn_per_day: nullable(text('Credits that it uses a day', '8', { pattern: '^-?\\d+(\\.\\d+)?$' })),
  runs_out: runsOut,
  curve: list(point),
})

export const forecastTable = csvSchema(
  'Its curve, a line for each day',
  forecastColumns,
  '2026-02-01T00:00:00.000Z,25.5,26.5,28.25',
)
