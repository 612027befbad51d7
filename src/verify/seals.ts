/** Whether each row still has the seal of what is in it. */
import type { DatabaseSync } from 'node:sqlite'
import { seal, sealText } from './hashes.ts'
import type { Problems, Value } from './problems.ts'
import { createTextCheck, type TextCheck } from './texts.ts'

interface SealedTable {
  readonly name: string
  /** The columns that tell its rows apart. */
  readonly key: readonly string[]
  /** What the seal covers, in this order. */
  readonly sealed: readonly string[]
  /** Whether rows are numbered from 1 and never deleted. */
  readonly numbered?: boolean
}

const words = (text: string) => text.split(' ')

export const sealedTables: readonly SealedTable[] = [
  {
    name: 'series',
    key: ['id'],
    sealed: words(
      'site metric project_id project_name opened_by at value origin carry pace still_since former_lines open_number open_window open_price open_base head',
    ),
    numbered: true,
  },
  {
    name: 'groups',
    key: ['name'],
    sealed: words('name opened granted published published_at newest_intention head next_line'),
  },
  {
    name: 'accounts',
    key: ['group_name', 'site'],
    sealed: words('group_name site contact retry_at published_up_to'),
  },
  {
    name: 'holds',
    key: ['id'],
    sealed: words('id key kind site group_name reason opened_at seen_at closed_at closed_why'),
    numbered: true,
  },
  {
    name: 'held_growths',
    key: words('hold_id series_id to_at to_value from_at from_value'),
    sealed: words('hold_id series_id from_at from_value to_at to_value withdrawn'),
  },
  {
    name: 'notices',
    key: ['id'],
    sealed: words('id group_name kind line granted used at entry state'),
    numbered: true,
  },
  {
    name: 'messages',
    key: ['id'],
    sealed: words(
      'id uid channel recipient copy_to opened_at state content attempts attempted_at retry_at ended_at problem',
    ),
    numbered: true,
  },
  { name: 'message_notices', key: ['message_id', 'notice_id'], sealed: words('message_id notice_id') },
  { name: 'mutes', key: ['group_name'], sealed: words('group_name at actor reason') },
  { name: 'watched_lines', key: ['percents'], sealed: words('percents') },
  {
    name: 'days',
    key: ['group_name', 'day', 'kind', 'site', 'metric'],
    sealed: words('group_name day kind site metric entries amount consumption'),
  },
  { name: 'taken_over', key: ['site'], sealed: words('site at begun missing') },
  { name: 'notes', key: ['id'], sealed: words('id kind series_id at text'), numbered: true },
  {
    name: 'intentions',
    key: ['group_name', 'number'],
    sealed: words('group_name number site used up_to at overtaken'),
  },
  {
    name: 'drifts',
    key: ['id'],
    sealed: words('id group_name site seen_at expected shown modified_at modified_by entry_id'),
    numbered: true,
  },
  {
    name: 'repricings',
    key: ['id'],
    sealed: words(
      'id metric from_at to_at per_unit reason actor previewed_at seen_entry applied_at applied_by undone_at undone_by undone_why',
    ),
  },
  {
    name: 'repricing_lines',
    key: ['repricing_id', 'series_id'],
    sealed: words('repricing_id series_id first_entry last_entry last_hash consumption amount'),
  },
]

export function checkSeals(db: DatabaseSync, problems: Problems): void {
  for (const table of sealedTables) checkTable(db, table, problems)
}

function checkTable(db: DatabaseSync, table: SealedTable, problems: Problems): void {
  const { name, key, sealed, numbered } = table
  const columns = [...key, ...sealed, 'seal']
  const select = db.prepare(`SELECT ${columns.join(', ')} FROM ${name} ORDER BY ${key.join(', ')}`)
  select.setReadBigInts(true)
  select.setReturnArrays(true)
  const texts = createTextCheck(db, name, key, sealed)
  let expected = 1n
  for (const row of select.iterate()) {
    const values = row as unknown as Value[]
    const keyOfRow = values.slice(0, key.length)
    if (numbered === true) {
      problems.compare(name, 'all rows', 'the number that comes next', expected, keyOfRow[0]!)
      expected = (keyOfRow[0] as bigint) + 1n
    }
    checkRow(table, keyOfRow, values, texts, problems)
  }
}

function checkRow(
  { name, key }: SealedTable,
  keyOfRow: Value[],
  values: Value[],
  texts: TextCheck,
  problems: Problems,
): void {
  const found = values.at(-1)!
  const sealed = sealText(values.slice(key.length, -1))
  problems.compare(name, keyOfRow.join(', '), 'the seal', seal(sealed), found)
  if (!texts.isSound(sealed, keyOfRow)) {
    problems.add(name, keyOfRow.join(', '), 'its text', 'UTF-8', 'other bytes')
  }
}
