import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { html } from '#src/http/pages/html.ts'
import { find, parsePage, textOf } from '../../helpers/markup.ts'

const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  `' onmouseover='alert(1)`,
  '&lt;b&gt; & &amp; &#60;',
  '`x` $ {y}',
  '</title></main><!-- -->',
  ']]><![CDATA[',
  '\u202Egnp.exe\u202C \u05E9\u05DC\u05D5\u05DD',
  'javascript:alert(1)',
  'x'.repeat(1_000),
  '',
]

suite('A template', () => {
  test.each(hostile)('keeps %j text, between tags and in an attribute', (name) => {
    const page = parsePage(html`<p title="${name}"><b>${name}</b></p>`.text)
    expect(find(page).map((each) => each.name)).toEqual(['p', 'b'])
    expect(find(page, 'p')[0]!.attributes).toEqual({ title: name })
    expect(find(page, 'b')[0]!.children.join('')).toBe(name)
  })

  test('keeps any text, except that a NUL is shown as no character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const [element] = find(parsePage(html`<p title="${name}">${name}</p>`.text))
        const shown = name.replaceAll('\0', '\uFFFD')
        expect(element!.attributes.title).toBe(shown)
        expect(element!.children.join('')).toBe(shown)
      }),
    )
  })

  test('takes what other templates made as it is, also within lists', () => {
    const items = ['<a>', '&'].map((each) => html`<li>${each}</li>`)
    expect(html`<ul>${items}</ul>`.text).toBe('<ul><li>&lt;a&gt;</li><li>&amp;</li></ul>')
  })

  test('shows nothing of what is absent or false, and numbers as they are', () => {
    expect(html`${undefined}${null}${false}${0}${12n}${[]}`.text).toBe('012')
  })

  test('does not take a thing with markup in its text for markup', () => {
    expect(html`<p>${String(html`<b>`)}</p>`.text).toBe('<p>&lt;b&gt;</p>')
  })
})

test('The check of pages sees what is wrong', () => {
  for (const wrong of [
    '<p>',
    '<p></b>',
    '<p class=a></p>',
    '<p>a & b</p>',
    '<p title="<">',
    '<p a="1" a="2"></p>',
    'a > b',
  ]) {
    expect(() => parsePage(wrong), wrong).toThrow()
  }
  expect(textOf(parsePage('<p>a <b>b</b></p>'))).toBe('a b')
})
