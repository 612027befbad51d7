import { expect, suite, test } from 'vitest'
import { type Column, table } from '#src/http/pages/table.ts'
import { find, parsePage, textOf } from '../../helpers/markup.ts'

interface Fruit {
  readonly name: string
  readonly count: number
}

const columns: [Column<Fruit>, Column<Fruit>] = [
  { name: 'Fruit', cell: ({ name }) => name },
  {
    name: 'Count',
    isNumber: true,
    sort: { address: '/?a&b', now: 'descending' },
    cell: ({ count }) => count || undefined,
  },
]

suite('A table', () => {
  const root = parsePage(
    table({
      caption: 'What is <there>',
      columns,
      rows: [
        { name: '<pear>', count: 3 },
        { name: '', count: 0 },
      ],
    }).text,
  )

  // On a phone it is shown as cards, and what is no table any more has no roles by itself.
  test('has a role for each part, and in each cell the name of its column', () => {
    const roles = ['table', 'thead', 'tbody', 'tr', 'th', 'td'].map((name) =>
      find(root, name).map(({ attributes }) => attributes.role),
    )
    expect(roles.map((each) => [...new Set(each)])).toEqual([
      ['table'],
      ['rowgroup'],
      ['rowgroup'],
      ['row'],
      ['columnheader', 'rowheader'],
      ['cell'],
    ])
    expect(find(root, 'td').map(({ attributes }) => attributes['data-label'])).toEqual(['Count', 'Count'])
  })

  test('shows what is put into it as text', () => {
    expect(textOf(find(root, 'caption')[0]!)).toBe('What is <there>')
    expect(textOf(find(find(root, 'tbody')[0]!, 'th')[0]!)).toBe('<pear>')
  })

  test('leads from a heading to where it is sorted by that, and says how it is now', () => {
    const heading = find(root, 'th')[1]!
    expect(heading.attributes).toMatchObject({ scope: 'col', 'aria-sort': 'descending', class: 'number' })
    expect(find(heading, 'a')[0]!.attributes.href).toBe('/?a&b')
  })

  test('leaves a cell empty that has nothing to show, so that a card leaves it out', () => {
    expect(find(root, 'td').map(({ children }) => children.length)).toEqual([1, 0])
  })
})
