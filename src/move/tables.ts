/** The tables of a ledger, which SQLite and PostgreSQL have with the same columns, in an order in which they can be filled. */
export interface Table {
  readonly name: string
  /** What tells its rows apart. */
  readonly key: readonly string[]
  readonly columns: readonly string[]
  /** Whether its database seals its rows; else they bring their seal or hash with them. */
  readonly isSealedByItself: boolean
}

const table = (name: string, key: string, columns: string): Table => {
  const all = [...key.split(' '), ...columns.split(' ')].filter((column) => column !== '')
  const isSealedByItself = !all.includes('seal') && !all.includes('hash')
  return { name, key: key.split(' '), columns: all, isSealedByItself }
}

export const tables: readonly Table[] = [
  table('groups', 'name', 'used dirty opened granted published published_at newest_intention head next_line'),
  table(
    'series',
    'id',
    'site metric project_id project_name opened_by at value origin carry pace still_since former_lines open_number open_window open_price open_base head seal',
  ),
  table('accounts', 'group_name site', 'charged contact retry_at published_up_to'),
  table('intentions', 'group_name number', 'site used up_to at overtaken'),
  table(
    'entries',
    'number',
    'id kind group_name site at amount recorded_at series_id from_at from_value to_value price_version per_unit carry_in carry_out reason actor hash corrects corrects_to',
  ),
  table('notes', 'id', 'kind series_id at text'),
  table('holds', 'id', 'key kind site group_name reason opened_at seen_at closed_at closed_why'),
  table('held_growths', 'hold_id series_id to_at to_value from_at from_value', 'withdrawn'),
  table('drifts', 'id', 'group_name site seen_at expected shown modified_at modified_by entry_id'),
  table(
    'repricings',
    'id',
    'metric from_at to_at per_unit reason actor previewed_at seen_entry applied_at applied_by undone_at undone_by undone_why',
  ),
  table('repricing_lines', 'repricing_id series_id', 'first_entry last_entry last_hash consumption amount'),
  table('notices', 'id', 'group_name kind line granted used at entry state'),
  table('mutes', 'group_name', 'at actor reason'),
  table('watched_lines', 'percents', 'seal'),
  table('taken_over', 'site', 'at begun missing'),
  table('days', 'group_name day kind site metric', 'entries amount consumption'),
  table(
    'messages',
    'id',
    'uid channel recipient copy_to opened_at state content attempts attempted_at retry_at ended_at problem',
  ),
  table('message_notices', 'message_id notice_id', ''),
]

/** All columns of its rows, with the seal. */
export function allColumns({ columns, isSealedByItself }: Table): readonly string[] {
  return isSealedByItself ? [...columns, 'seal'] : columns
}
