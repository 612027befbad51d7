/** What the API tells as comma-separated values: the texts of its JSON. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { csv } from '#src/http/csv.ts'
import { correct, NOW, withGroup } from '../helpers/groups.ts'
import { type Face, startFace } from './server.ts'

const NAME = 'a,b "c"\nd'

async function open(): Promise<Face> {
  const face = await startFace()
  onTestFinished(() => face[Symbol.asyncDispose]())
  face.clock.at = NOW
  await withGroup(face, NAME, 20, '20000')
  await correct(face, NAME)
  return face
}

const path = `/api/groups/${encodeURIComponent(NAME)}`

/** Rows by the names of their columns; written for the tests. */
function parse(text: string): Record<string, string>[] {
  const cells = [...text.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n)/g)].map(([, cell, end]) => ({
    value: cell!.startsWith('"') ? cell!.slice(1, -1).replaceAll('""', '"') : cell!,
    isLast: end !== ',',
  }))
  const rows: string[][] = [[]]
  for (const { value, isLast } of cells) {
    rows.at(-1)!.push(value)
    if (isLast) rows.push([])
  }
  const [head, ...others] = rows.slice(0, -1)
  return others.map((row) => Object.fromEntries(head!.map((name, index) => [name, row[index]!])))
}

suite('Groups as comma-separated values', () => {
  test('have the texts of JSON, whatever a name holds', async () => {
    const face = await open()
    const { groups } = (await face.get('/api/groups')).json as { groups: Record<string, unknown>[] }
    const [row] = parse((await face.get('/api/groups', { Accept: 'text/csv' })).text)
    const { holds: _holds, sites: _sites, ...others } = groups[0]!
    for (const [name, value] of Object.entries(others)) expect(row![name], name).toBe(String(value ?? ''))
    expect(row).toMatchObject({ group: NAME, holds: '', sites: '8676 active; 9001 active' })
  })

  test('name the next page in a header', async () => {
    const face = await open()
    await withGroup(face, 'zebra', 2)
    const { headers } = await face.get('/api/groups?limit=1&format=csv')
    const next = /^<(.+)>; rel="next"$/.exec(String(headers.link))![1]!
    const last = await face.get(next)
    expect(parse(last.text).map(({ group }) => group)).toEqual(['zebra'])
    expect(last.headers.link).toBeUndefined()
  })

  test('are answered with 304 while they are the same', async () => {
    const face = await open()
    for (const address of ['/api/groups', `${path}/entries`, `${path}/forecast`, `${path}/history`]) {
      const { etag } = (await face.get(address, { Accept: 'text/csv' })).headers
      expect((await face.get(address, { Accept: 'text/csv', 'If-None-Match': etag })).status).toBe(304)
      expect((await face.get(address, { 'If-None-Match': etag })).status).toBe(200)
    }
    const { etag } = (await face.get('/api/groups?format=csv')).headers
    await withGroup(face, 'zebra', 2)
    expect((await face.get('/api/groups?format=csv', { 'If-None-Match': etag })).status).toBe(200)
  })
})

interface Point {
  readonly at: string
  readonly value: string
}

type Item = Readonly<Record<string, unknown>> & {
  readonly from?: Point
  readonly to?: Point
  readonly corrects?: { readonly first: number } | null
}

test('Entries have the texts of JSON, of each kind', async () => {
  const face = await open()
  const { items } = (await face.get(`${path}/entries?limit=1000`)).json as { items: Item[] }
  const rows = parse((await face.get(`${path}/entries?limit=1000&format=csv`)).text)
  expect(rows).toHaveLength(items.length)
  for (const [index, { from, to, corrects, hash: _hash, ...item }] of items.entries()) {
    const points = [from?.at, from?.value, to?.at, to?.value, corrects?.first]
    const row = rows[index]!
    const told = [row.from, row.from_value, row.to, row.to_value, row.corrects_first]
    expect(told).toEqual(points.map((each) => String(each ?? '')))
    for (const [name, value] of Object.entries(item)) expect(row[name], name).toBe(String(value ?? ''))
  }
  expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(['charge', 'adjustment']))
})

test('A forecast has its curve', async () => {
  const face = await open()
  const { curve } = (await face.get(`${path}/forecast`)).json as { curve: unknown[] }
  expect(curve.length).toBeGreaterThan(10)
  expect(parse((await face.get(`${path}/forecast?format=csv`)).text)).toEqual(curve)
})

test('No cell is a formula, and numbers stay numbers', () => {
  const names = ['=1+1', '+1', '@SUM(A1)', '-2+3', '\t=1', '\r=1', '-12.5', '-', 'a=1', '2026-01-01']
  expect(csv([names])).toBe(`'=1+1,'+1,'@SUM(A1),'-2+3,'\t=1,"'\r=1",-12.5,'-,a=1,2026-01-01\r\n`)
})
