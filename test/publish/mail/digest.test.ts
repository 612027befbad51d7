/** What mails say, whatever projects are called. */
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { DAY } from '#src/core/time.ts'
import { writeDigest } from '#src/publish/mail/digest.ts'
import { createMail } from '#src/publish/mail/mail.ts'
import type { Told } from '#src/publish/messenger.ts'
import { T0 } from '../../helpers/billing.ts'
import { told } from '../../helpers/notices.ts'
import { startMailServer } from '../../helpers/smtp.ts'

const outlook = { burnPerDay: 2.345, runsOutAt: T0 + 8 * DAY }
const write = (...notices: Told[]) => writeDigest(notices, { precision: 2 })

suite('A digest', () => {
  test('says what happened, how much is left, and until when', () => {
    const { subject, text } = writeDigest([told({ outlook })], {
      precision: 2,
      publicUrl: 'https://credits.example.org',
      governance: 'cloud@example.org',
    })
    expect(subject).toBe('Credits of “alpha”: 80 % used')
    expect(text).toBe(`You get this because you are named as a contact of the following in the cloud.

“alpha” has used 80 % of its credits
  Used:    81.50 of 100 granted credits on 2026-01-01 00:00 UTC
  Left:    18.50 credits
  Burn:    2.35 credits a day at present
  Used up: about 2026-01-09, if it goes on like this
  https://credits.example.org/groups/alpha

--\u0020

If the work is not finished by then, ask for more credits in time: cloud@example.org. Machines that are not needed any more use credits until they are deleted.

You are told of each of these steps once, and again if more credits are granted.

If you do not want to be told of a project any more, ask cloud@example.org to mute it.
`)
  })

  test.each<[string, Told[], string]>([
    ['a threshold', [told()], 'Credits of “alpha”: 80 % used'],
    ['the end', [told({ line: 100 })], 'Credits of “alpha”: all used'],
    [
      'the end that is near',
      [told({ kind: 'runs out', line: 14, outlook })],
      'Credits of “alpha”: used up about 2026-01-09',
    ],
    ['an end that moved away', [told({ kind: 'runs out', line: 14 })], 'Credits of “alpha”: running out'],
    ['two things about one project', [told(), told({ line: 100 })], 'Credits of “alpha”'],
    ['several projects', [told(), told({ group: 'beta' })], 'Credits of 2 projects'],
  ])('has a subject for %s', (_, notices, subject) => {
    expect(write(...notices).subject).toBe(subject)
  })

  test('says in words how things stand', () => {
    expect(write(told({ kind: 'runs out', line: 14 })).text).toContain(
      '“alpha” will have used up its credits within 14 days',
    )
    const over = write(told({ line: 120, used: 120_000_001n })).text
    expect(over).toContain('“alpha” has used 120 % of its credits')
    expect(over).toContain('Used:    120.00 of 100 granted')
    expect(over).toContain('Left:    -20.00 credits')
    expect(over).toContain('This service stops no machine')
    const ofNothing = write(told({ line: 120, granted: '0', used: 3_000_000n }))
    expect(ofNothing.subject).toBe('Credits of “alpha”: all used')
    expect(ofNothing.text).toContain('“alpha” has used up its credits\n  Used:    3.00 of 0 granted')
    expect(ofNothing.text).toContain('Left:    -3.00 credits')
  })

  test('of very many notices tells the first ones and how many there are', () => {
    const { subject, text, html } = write(...Array.from({ length: 10_000 }, (_, index) => told({ group: `g${index}` })))
    expect(subject).toBe('Credits of 10000 projects')
    expect(text).toContain('\n… and 9900 more\n')
    expect(text.length + html.length).toBeLessThan(200_000)
  })

  test('cuts a grant that is no grant of anybody', () => {
    const { text } = write(told({ granted: '9'.repeat(1_200) }))
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(200)
  })
})

const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  'a\r\nBcc: max@example.org\r\n\r\nYou won',
  'a\nb\u2028c\u2029d\u0000e',
  '\u202Eevil\u202C',
  '&lt;b&gt;',
  'x'.repeat(1_024),
  '🧬'.repeat(300),
  '\uD800 half',
  '=?UTF-8?Q?a=0D=0ABcc:_x@example.org?=',
  '{{constructor}}',
]

suite('A project that is called', () => {
  test.each(hostile)('%j stays a name', async (group) => {
    await using server = await startMailServer({ hideSTARTTLS: true, disabledCommands: ['STARTTLS', 'AUTH'] })
    const facts = { from: 'credits@example.org', host: '127.0.0.1', port: server.port, isPlain: true, precision: 2 }
    const mail = createMail({ ...facts, publicUrl: 'https://credits.example.org' })
    const content = mail.compose([told({ group }), told({ group, kind: 'runs out', line: 14 })])
    expect(await mail.send({ uid: 'f00d', to: 'erika@example.org', content })).toEqual({ kind: 'sent' })
    const [{ headers, recipients, text, html }] = server.mails as [(typeof server.mails)[0]]
    expect(recipients).toEqual(['erika@example.org'])
    expect(Object.keys(headers)).not.toContain('bcc')
    expect(headers.subject).toMatch(/^Credits of “[^\r\n]+”$/)
    expect(text.match(/^“.*” (has used|will have used)/gm)).toHaveLength(2)
    expectHarmless(html)
  })

  test('anything is text in HTML, one line in a text and short in a subject', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (group) => {
        const { subject, text, html } = writeDigest([told({ group })], {
          precision: 2,
          publicUrl: 'https://c.example.org',
        })
        expect(subject.length).toBeLessThan(160)
        expect(subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
        expect(text.split('\n')).toHaveLength(write(told()).text.split('\n').length + 1)
        expectHarmless(html)
      }),
    )
  })
})

test('What would do harm is found by these tests', () => {
  for (const html of ['<script>', '<p onclick="x">', '<img src="x">', '<a href="https://c.org/groups/"x">']) {
    expect(() => expectHarmless(html), html).toThrow()
  }
})

/** Only the tags and attributes of the template, and links to ourselves. */
function expectHarmless(html: string): void {
  const tags = new Set([...html.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag))
  const ours = 'html head meta title body p h2 a table tr th td div'.split(' ')
  expect([...tags].filter((tag) => !ours.includes(tag!))).toEqual([])
  const written = /^<(?:!doctype|\/?[a-z0-9]+)(?: [a-z]+(?:="[^"<>]*")?)*>$/
  expect([...html.matchAll(/<[^>]*>?/g)].filter(([tag]) => !written.test(tag))).toEqual([])
  expect(html).not.toMatch(/<[^>]* on[a-z]+=/)
  for (const [, href] of html.matchAll(/href="([^"]*)"/g))
    expect(href).toMatch(/^https:\/\/c[a-z.]*\/groups\/[^\s"'<>]*$/)
}
