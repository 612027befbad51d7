/** What groups used, by time. */
import { steps } from '../../core/buckets.ts'
import { divisions } from '../historyJson.ts'
import { decimal, fields, instant, list, named, nullable, number, oneOf, type Schema, text, word } from '../schema.ts'
import { groupName, meter, metric, page, site, unit } from './common.ts'
import { granted } from './groups.ts'

const kind = word('The kind of its entries', ['charge', 'adjustment', 'opening'])
const credits = decimal('Credits, exact', '12.5')

const part = oneOf({
  meter: fields({
    kind,
    meter,
    metric: nullable({ ...metric, description: 'Its metric; null if it is no charge' }),
    credits,
  }),
  site: fields({ kind, site: nullable({ ...site, description: 'Its site; null if it belongs to none' }), credits }),
})

const bucket = named(
  'Bucket',
  fields(
    {
      start: instant('Later than this, with the offset of tz', '2026-01-30T00:00:00.000+01:00'),
      end: instant('Up to and including this', '2026-01-31T00:00:00.000+01:00'),
      credits,
      used: decimal('Used credits of the group at its end', '25.5'),
      consumption: list(fields({ meter, metric, unit, quantity: decimal('Charged in it', '12.5') })),
      parts: list(part, { description: 'What its credits are made of, by what is asked for' }),
    },
    {},
    { description: 'An hour, day or month' },
  ),
)

export const history = fields({
  group: groupName,
  step: word('How long a bucket is', steps),
  by: word('What its credits are divided by', divisions),
  tz: text('The time zone', 'Europe/Berlin'),
  from: instant('Where the first bucket begins', '2026-01-30T00:00:00.000+01:00'),
  to: instant('Where the last one ends', '2026-01-31T00:00:00.000+01:00'),
  granted,
  used: decimal('Used credits now', '25.5'),
  used_before: decimal('Used credits where the page begins', '13'),
  buckets: list(bucket),
  next: page('/api/groups/BioVis/history?from=2026-01-30T23%3A00%3A00.000Z'),
})

export const historyCsv = text(
  'The same, a line for each part of a bucket',
  'start,end,kind,meter,unit,consumption,credits,used\r\n2026-01-30T00:00:00.000+01:00,2026-01-31T00:00:00.000+01:00,charge,cpu,vCPU·h,12.5,12.5,25.5\r\n',
  { pattern: '^start,end,kind,(meter,unit,consumption|site),credits,used\\r\\n' },
)

/** An instant as people write it. */
export const givenInstant = (description: string, example: string): Schema =>
  text(description, example, {
    pattern: '^\\d{4}-\\d{2}-\\d{2}([ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2})?)?$',
  })

export const columns = fields({
  timestamps: list(text('When, in UTC', '2026-01-31 12:00:00', { pattern: '^[\\d-]{10} [\\d:]{8}$' })),
  credits: list(number('Used credits then, rounded', 25.5)),
  metrics: list(text('The meter that was charged, or the kind of the entry', 'cpu')),
})
