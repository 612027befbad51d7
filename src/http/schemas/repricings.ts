/** Other prices for past periods. */

import { sensibleRange } from '../../core/meters.ts'
import {
  decimal,
  digits,
  fields,
  flag,
  instant,
  list,
  named,
  nullable,
  type Schema,
  text,
  whole,
  word,
} from '../schema.ts'
import { actor, groupName, meter, metric, page, reason } from './common.ts'
import { granted } from './groups.ts'
import { givenInstant } from './history.ts'

const id = text('The id of the preview', '0f6f1f2e-8a0b-4c57-9d1e-2b1f6a3c4d5e')

export const repricingParameter = { id }

export const repricingRequest = fields(
  {
    meter: text('What is charged for', 'cpu'),
    from: givenInstant('The beginning of the period', '2026-01-01'),
    to: givenInstant('Its end, not included; it has passed', '2026-01-01T02:00:00Z'),
    price: digits(`Credits per unit that should have been charged: ${sensibleRange}`, '1.5'),
    reason,
  },
  { actor },
)

export const applyRequest = fields({}, { actor })

const who = { at: instant('When'), actor: text('Who', 'erika') }

const facts = {
  id,
  state: word('What became of it', ['previewed', 'applied', 'undone']),
  meter,
  metric,
  from: instant('The beginning of the period', '2026-01-01T00:00:00.000Z'),
  to: instant('Its end, not included', '2026-01-01T02:00:00.000Z'),
  price: decimal('Credits per unit that should have been charged', '1.5'),
  reason: text('Why', 'The price was announced too low'),
  actor: text('Who asked for it', 'operator'),
  previewed_at: instant('When it was computed'),
  applied: nullable(fields(who, {}, { description: 'When and by whom; null if it was not applied' })),
  undone: nullable(
    fields({ ...who, reason: text('Why', 'It was right') }, {}, { description: 'The same, if it was taken back' }),
  ),
  charged_since: nullable(
    fields(
      {
        entries: whole('How many entries', 0, { minimum: 0 }),
        amount: decimal('Credits of these entries, also of what in them lies outside of the period', '0'),
      },
      {},
      {
        description:
          'What was charged in the period after the preview: it came late or was accepted, has the old price and is not corrected; null if it is not applied',
      },
    ),
  ),
}

export const repricing = named('Repricing', fields(facts))

export const repricings = fields({ repricings: list(repricing) })

const line = named(
  'RepricingLine',
  fields({
    group: groupName,
    used_before: decimal('Used credits without it', '25'),
    difference: decimal('What it charges, or gives back if below 0', '10'),
    used_after: decimal('Used credits with it', '35'),
    below_zero: flag(
      'Whether its total would become negative: then this is not applied or, once it is, not undone',
      false,
    ),
    granted,
    crosses: list(whole('Percent of the grant', 80), { description: 'What it reaches or falls below' }),
  }),
)

export const repricingPage: Schema = fields({
  ...facts,
  number_of_groups: whole('How many groups it is about', 1, { minimum: 0 }),
  number_below_zero: whole(
    'How many of them applying or, once applied, undoing would leave with a negative total: then it is refused',
    0,
    { minimum: 0 },
  ),
  number_of_series: whole('How many series', 1, { minimum: 0 }),
  difference: decimal('The sum of all differences', '10'),
  groups: list(line),
  next: page('/api/repricings/0f6f1f2e-8a0b-4c57-9d1e-2b1f6a3c4d5e?after=BioVis&limit=100'),
})
