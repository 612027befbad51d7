import { expect, suite, test } from 'vitest'
import { ledgerLocation, showLedger } from '#src/config/ledgerLocation.ts'

suite('The place of the ledger', () => {
  test('is a file of SQLite', () => {
    expect(['sqlite:data/credits.db', 'sqlite:/var/lib/credits.db'].map(ledgerLocation)).toEqual([
      { kind: 'sqlite', path: 'data/credits.db' },
      { kind: 'sqlite', path: '/var/lib/credits.db' },
    ])
    expect(showLedger('sqlite:data/credits.db')).toBe('sqlite:data/credits.db')
  })

  test.each(['sqlite::memory:', 'sqlite:file::memory:?cache=shared'])(
    'is not the memory of the worker: %s',
    (given) => {
      expect(() => ledgerLocation(given)).toThrow('forgets what was charged')
    },
  )

  test.each([
    'postgres://db/credits',
    'postgresql://ann:secret@db:5433/credits?sslmode=verify-full&sslrootcert=/ca.pem',
    'postgres://ann:secret@localhost/credits?host=/var/run/postgresql',
  ])('or a database: %s', (url) => {
    expect(ledgerLocation(url)).toEqual({ kind: 'postgres', url })
    expect(showLedger(url)).not.toContain('secret')
  })

  test.each([
    ...['', 'sqlite:', 'sqlite://x/y', 'data/credits.db', 'mysql://x/y'],
    ...['postgres:', 'postgres://ann:secret@db', 'postgres://ann:secret@db/', 'postgres://ann:secret@db/a/b'],
    ...['postgres://ann:secret@db/a?sslmode=maybe', 'postgres://ann:secret@db/a?options=-c', 'postgres:///credits'],
    ...['postgres://ann:sec#ret@db/a', 'postgres://ann:secret@db:port/a'],
  ])('and nothing else, such as %j, of which no password is told', (given) => {
    const problem = () => ledgerLocation(given)
    expect(problem).toThrow(/sqlite:|no parameters but|sslmode=disable/)
    expect(problem).toThrow(expect.objectContaining({ got: expect.not.stringContaining('sec') }))
  })
})
