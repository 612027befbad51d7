/** Groups with their series, notes and holds, and what is held back. */

import type { GroupState } from '../../ledger/groupTable.ts'
import type { Contact, HoldKind, Note } from '../../ledger/ledger.ts'
import { csvSchema } from '../format.ts'
import { groupColumns } from '../groupCsv.ts'
import {
  decimal,
  fields,
  flag,
  instant,
  like,
  list,
  named,
  nullable,
  type Schema,
  text,
  whole,
  word,
} from '../schema.ts'
import { groupName, meter, metric, page, point, projectId, site, unit } from './common.ts'

const states = ['active', 'waiting', 'new', 'held'] as const satisfies readonly GroupState[]
const contacts = ['active', 'new', 'unknown group', 'not assigned', 'no grant'] as const satisfies readonly Contact[]
const noteKinds = ['rebased', 'recovered', 'redated', 'opened', 'conflict'] as const satisfies readonly Note['kind'][]
const holdKinds = [
  'implausible growth',
  'unclear after a fall',
  'site jump',
  'unit switched',
  'series merged',
  'clock ahead',
  'too many series',
  'unknown group',
  'not assigned',
  'no grant',
  'used credits missing',
  'refused',
] as const satisfies readonly HoldKind[]

export const contact = word(
  'How Perun and the group at this site stand: published there, not looked up yet, or why it cannot be charged there',
  contacts,
)
export const holdKind = word('What kind of hold it is', holdKinds)
export const granted = nullable(text('Granted credits as Perun shows them; null before it was asked', '200'))

const groupFields = {
  group: groupName,
  state: word('Published, to be published, not looked up in Perun yet, or with an open hold', states),
  used: decimal('Used credits: the sum of all entries', '25.5'),
  published: nullable(decimal('Used credits that Perun shows; null before the first write', '25.5')),
  published_at: nullable(instant('When they were written')),
  granted,
  left: nullable(decimal('What is left of the grant, less than 0 if more was used', '174.5')),
  holds: list(holdKind, { description: 'The kinds of its open holds', examples: [[]] }),
  sites: list(fields({ site, contact, charged: decimal('Credits charged at this site', '25.5') })),
  last_reading_at: nullable(instant('Up to when it is charged')),
  muted: flag('Whether its people are told nothing', false),
}

export const group = named('Group', fields(groupFields))

export const groupsPage = fields({
  groups: list(group),
  total: whole('How many groups there are in all', 1),
  next: page('/api/groups?after=BioVis&limit=100'),
})

export const groupsTable = csvSchema(
  'The same, a line for each group',
  groupColumns,
  'BioVis,active,25.5,200,174.5,25.5,2026-01-31T12:00:00.000Z,2026-01-31T12:00:00.000Z,false,,8676 active',
)

const series = named(
  'Series',
  fields({
    site,
    metric,
    project_id: projectId,
    at: instant('When it was last read'),
    value: decimal('What the exporter showed then', '1002.5'),
  }),
)

const note = named(
  'Note',
  fields({
    at: instant('The reading that it is about'),
    kind: word('What happened to the series', noteKinds),
    site,
    metric,
    project_id: projectId,
    text: text('What happened, and why we think so', 'The total fell from 1010 to 1000: a machine was removed.'),
  }),
)

const holdFields = {
  id: whole('The number of the hold', 7, { minimum: 1 }),
  kind: holdKind,
  site,
  group: nullable({ ...groupName, description: 'Who is held; null if it is the whole site' }),
  reason: text('What happened, and what to do', 'It grew by 5000000 vCPU·h in an hour.'),
  opened_at: instant('Since when'),
  seen_at: instant('When it was last seen to be so'),
  closed_at: nullable(instant('When it ended; null while it is open')),
  closed_why: nullable(text('Why it ended; null while it is open', 'Dismissed by erika: A wrong weight table')),
}

const hold = named('Hold', fields(holdFields))

export const groupWithDetails = fields({
  ...groupFields,
  series: list(series),
  notes: list(note, { description: 'The newest ones' }),
  open_holds: list(hold),
})

export const holdsPage = fields({ holds: list(hold), next: page('/api/holds?state=open&before=7&limit=100') })

const heldGrowth = named(
  'HeldGrowth',
  fields({
    group: groupName,
    project_id: projectId,
    meter,
    metric,
    from: like(point, { at: '2026-01-31T11:00:00.000Z', value: '100' }),
    to: like(point, { at: '2026-01-31T12:00:00.000Z', value: '5000100' }),
    consumption: decimal('The growth', '5000000'),
    unit,
    price_versions: list(text('A price', 'cpu@start=1'), {
      description: 'At which prices accepting it charges: those of the time in which it grew, as they are set now',
    }),
  }),
)

export const holdWithGrowths = fields({
  ...holdFields,
  growths: list(heldGrowth, { description: 'What accepting it charges' }),
  more: flag('Whether there are more growths than limit', false),
})

export const holdParameter = { id: whole('The number of the hold', 7, { minimum: 1 }) }

export const decidedHold = (verdict: string): Schema =>
  fields({ verdict: word('What was decided', [verdict]), ...holdFields })
