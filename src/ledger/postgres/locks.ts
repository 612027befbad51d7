/** The advisory locks of a ledger; PostgreSQL keeps them by database, under two numbers. These are the first ones. */
export const locks = {
  /** While tables are made. */
  migration: 0x6f_73_63_01,
  /** While partitions are made. */
  partitions: 0x6f_73_63_02,
  /** While people's corrections are carried out, one after another. */
  corrections: 0x6f_73_63_03,
  /** While messages are written, one after another. */
  messages: 0x6f_73_63_04,
  /** Shared by all who have the ledger open; alone for who moves it or records what was missed. */
  presence: 0x6f_73_63_05,
  /** Of one target of scrapes: the second number is made of its name. */
  target: 0x6f_73_63_06,
  /** Of one replica, as long as it is there: the second number is its id. */
  replica: 0x6f_73_63_07,
  /** While the queue of work is made. */
  engine: 0x6f_73_63_08,
} as const
