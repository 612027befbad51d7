import { expect, suite, test } from 'vitest'
import { readMailAddress } from '#src/core/mailAddress.ts'
import { addresseesOf } from '#src/publish/addressees.ts'

suite('A mail address', () => {
  test.each([
    ['erika@example.org', 'erika@example.org'],
    [' erika.mustermann+credits@Sub.Example.ORG\n', 'erika.mustermann+credits@sub.example.org'],
    ["o'brien@example.org", "o'brien@example.org"],
    ['root@localhost', 'root@localhost'],
  ])('is %j', (given, expected) => {
    expect(readMailAddress(given)).toBe(expected)
  })

  test.each([
    ...['', 'erika', '@example.org', 'erika@', 'erika@@example.org', 'erika@-example.org', 'erika@example..org'],
    ...['.erika@example.org', 'erika.@example.org', 'e..a@example.org', 'a b@example.org', '"a b"@example.org'],
    ...['Erika <erika@example.org>', 'erika@example.org,max@example.org', 'erika@example.org;max@example.org'],
    ...[
      'erika@example.org\r\nBcc: max@example.org',
      'erika\n@example.org',
      'erika@exa\u0000mple.org',
      'erika@[127.0.0.1]',
    ],
    ...['ërika@example.org', 'erika@exämple.org', `${'x'.repeat(65)}@example.org`, `e@${'x.'.repeat(130)}org`],
    ...[undefined, null, 7, {}, ['erika@example.org']],
  ])('is not %j', (given) => {
    expect(readMailAddress(given)).toBeUndefined()
  })
})

suite('Whoever is told', () => {
  const of = (given: readonly unknown[], more = {}) => addresseesOf('alpha', { peopleOf: async () => given, ...more })

  test('is everybody with an address; the rest is counted', async () => {
    expect(await of(['erika@example.org', 'nobody', 7, 'max@example.org', 'ERIKA@example.org'])).toEqual({
      to: [
        { channel: 'mail', to: 'ERIKA@example.org' },
        { channel: 'mail', to: 'max@example.org' },
      ],
      state: 'addressed',
      skipped: 2,
    })
  })

  test('is no crowd', async () => {
    const crowd = Array.from({ length: 60 }, (_, index) => `p${index}@example.org`)
    const { to, skipped } = await of(crowd)
    expect([to.length, skipped]).toEqual([50, 10])
  })

  test('is nobody without a Perun', async () => {
    expect(await addresseesOf('alpha', {})).toEqual({ to: [], state: 'no recipient', skipped: 0 })
  })
})
