/** Entries, receipts, adjustments and drifts. */
import { csvSchema } from '../format.ts'
import { entryColumns } from '../groupCsv.ts'
import { decimal, digits, fields, instant, like, list, named, nullable, oneOf, text, whole, word } from '../schema.ts'
import { actor, groupName, meter, metric, page, point, projectId, reason, site, unit } from './common.ts'
import { contact, granted } from './groups.ts'

const entryNumber = whole('The number of the entry in the ledger', 4_711, { minimum: 1 })

const facts = (id: string) => ({
  number: entryNumber,
  id: text('Names the fact: told twice, it is recorded once', id),
  at: instant('The instant it belongs to'),
  amount: decimal('Credits, exact', '2.5'),
  hash: text('Over the entry and the one before it', 'q3yLbGZ1d0vQ2mQyJj9l0eCq4n8mJm7mJcYy1lq0c3E', {
    pattern: '^[\\w-]{43}$',
  }),
})

const charge = fields(
  {
    ...facts('charge/1769857200000/8676 project_vcpu_usage BioVis 2f8e1c0a9d4b4f6ea1c35d7b90e2f481 6'),
    kind: word('amount + carry_out = consumption × price + carry_in', ['charge']),
    meter,
    metric,
    site,
    project_id: projectId,
    from: like(point, { at: '2026-01-31T11:00:00.000Z', value: '1000' }),
    to: point,
    consumption: decimal('Between both readings', '2.5'),
    unit,
    price: decimal('Credits per unit', '1'),
    price_version: text('Which price that is', 'cpu@2026-01-01=1'),
    carry_in: decimal('Credits below a micro-credit that were left before', '0'),
    carry_out: decimal('Credits below a micro-credit that are left', '0'),
  },
  { actor: text('Who accepted growth that was held', 'erika'), reason: text('Why', 'They rented a supercomputer') },
)

const adjustment = fields({
  ...facts('adjustment/ticket 4711'),
  kind: word('A correction of the total', ['adjustment']),
  site: nullable({ ...site, description: 'The site that it is about; null if it is about none' }),
  reason: text('Why', 'A node was down for a day'),
  actor: text('Who decided', 'erika'),
  corrects: nullable(fields({ first: entryNumber, last: entryNumber }, {}, { description: 'The entries it corrects' })),
})

const opening = fields({
  ...facts('opening/BioVis'),
  kind: word('What was used before this ledger began', ['opening']),
  site: nullable({ ...site, description: 'The site of the first contact' }),
  reason: text('Why', 'First contact'),
  actor: { type: 'null', description: 'Nobody decided about it' },
  corrects: { type: 'null', description: 'It corrects nothing' },
})

const entry = named('Entry', oneOf({ charge, adjustment, opening }))

export const entriesPage = fields({
  items: list(entry),
  next: page('/api/groups/BioVis/entries?before=4711&limit=100'),
})

export const entriesTable = csvSchema(
  'The same, a line for each entry',
  entryColumns,
  '4711,charge,2026-01-31T12:00:00.000Z,8676,cpu,project_vcpu_usage,p1,2026-01-31T11:00:00.000Z,1000,2026-01-31T12:00:00.000Z,1002.5,2.5,vCPU·h,1,1,0,0,2.5,,,,,charge/1/1',
)

const sum = fields({
  credits: decimal('Their sum', '0'),
  entries: whole('How many there are', 0, { minimum: 0 }),
})

const receiptLine = named(
  'ReceiptLine',
  fields(
    {
      site,
      meter,
      metric,
      project_id: projectId,
      unit,
      price_version: text('Which price that is', 'cpu@2026-01-01=1'),
      price: decimal('Credits per unit', '1'),
      consumption: decimal('In all', '25.5'),
      credits: decimal('The sum of the amounts', '25.5'),
      from: instant('The first reading'),
      to: instant('The last reading'),
      entries: whole('How many entries these are', 12, { minimum: 1 }),
      first_entry: entryNumber,
      last_entry: entryNumber,
    },
    {},
    { description: 'The charges of a series at one price' },
  ),
)

export const receipt = fields({
  group: groupName,
  used: decimal('charged + adjustments + openings', '25.5'),
  charged: decimal('The sum of all charges', '25.5'),
  granted,
  shown_in_perun: decimal('Used credits without not_shown, rounded: what Perun is to show', '25.50'),
  published: nullable(decimal('What it shows; null before the first write', '25.50')),
  not_shown: list(fields({ site, contact, charged: decimal('Charged where Perun lacks the group', '0') }), {
    examples: [[]],
  }),
  charges: list(receiptLine),
  adjustments: sum,
  openings: sum,
  entries: list(entry),
  next: page('/api/groups/BioVis/explain?before=4711&limit=100'),
})

export const adjustmentRequest = fields(
  { amount: digits('Credits: above 0 charges, below 0 gives back; at most 6 decimals', '-2.5'), reason },
  {
    actor,
    corrects: digits('The number of the entry that is corrected', 1),
    id: text('Names this request, so that sending it twice records it once', 'ticket 4711', {
      minLength: 1,
      maxLength: 1_000,
    }),
  },
)

export const adjusted = fields({
  group: groupName,
  used: decimal('Used credits after it', '23'),
  entry,
})

const drift = named(
  'Drift',
  fields({
    id: whole('The number of the drift', 3, { minimum: 1 }),
    group: groupName,
    site,
    seen_at: instant('When it was found'),
    expected: nullable(decimal('What we had written; null if nothing', '25.5')),
    shown: nullable(
      decimal('What Perun showed; null: the used credits were gone, nothing was written over that', '20'),
    ),
    modified_at: nullable(text('When it was changed, in the words of Perun', '2026-01-31 11:58:02.123')),
    modified_by: nullable(text('Who changed it, in the words of Perun', 'erika@example.org')),
    entry: nullable(
      text('The id of the adjustment that follows it', 'drift/BioVis/2026-01-31 11:58:02.123/20000000/41'),
    ),
  }),
)

export const driftsPage = fields({ drifts: list(drift), next: page('/api/drifts?before=3&limit=100') })
