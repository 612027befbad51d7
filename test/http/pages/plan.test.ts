import { expect, suite, test } from 'vitest'
import { checkPage, type Element, find, textOf } from '../../helpers/markup.ts'
import { type PlannedKind, readPlans } from '../../helpers/plans.ts'
import { startFace } from '../server.ts'
import { fieldsOf, HTML, person } from './people.ts'

function addressOf(machines: readonly PlannedKind[], rest: Readonly<Record<string, string>>): string {
  const fields = machines.flatMap(({ count, hours_per_day, sizes, weights }) => [
    ['count', count],
    ['hours', hours_per_day],
    ...Object.entries(sizes).map(([name, size]) => [`size.${name}`, size]),
    ...Object.entries(weights).map(([name, weight]) => [`weight.${name}`, weight]),
  ])
  return `/plan?${new URLSearchParams([...fields, ...Object.entries(rest)] as [string, string][])}`
}

/** What the page says, by its words. */
function factsOf(page: Element): Record<string, string> {
  const [list] = find(page, 'dl')
  return Object.fromEntries(
    find(list!, 'div').map((fact) => [textOf(find(fact, 'dt')[0]!), textOf(find(fact, 'dd')[0]!).split(' ')[0]!]),
  )
}

suite('The planner page', () => {
  test.each(readPlans('planner.txt'))('says what $row.what needs', async ({ row, machines }) => {
    await using face = await startFace()
    const isRunning = row.granted !== '-'
    const project: Record<string, string> = isRunning ? { granted: row.granted!, used: row.used! } : {}
    const page = await person(face).see(addressOf(machines, { days: row.days!, ...project }))
    expect(factsOf(page)).toMatchObject({
      'Grant to ask for': row.grant,
      [isRunning ? 'The days ahead cost' : 'These days cost']: row.credits,
      'A day': row.daily,
      'An hour': row.hourly,
      ...(isRunning && { 'Left after these days': row['left after'] }),
    })
  })

  test.each(readPlans('planner-lasting.txt'))('says how long credits last: $row.what', async ({ row, machines }) => {
    await using face = await startFace()
    const page = await person(face).see(addressOf(machines, { credits: row.credits! }))
    const lasts = row.days === 'for ever' ? 'for ever' : `${row.days} days, ${row.hours} hours`
    expect(textOf(find(page, 'dl')[0]!)).toContain(`The credits last ${lasts}`)
  })

  test('keeps what was written into the form, and has room for more kinds of machines', async () => {
    await using face = await startFace()
    const browser = person(face)
    const fields = { 'size.cpu': '2', 'weight.cpu': '1.5', days: '10' }
    const page = await browser.see(`/plan?${new URLSearchParams(fields)}`)
    expect(find(page, 'fieldset').length).toBe(4)
    const inputs = find(page, 'input').filter(({ attributes }) => attributes.value !== '')
    expect(Object.fromEntries(inputs.map(({ attributes }) => [attributes.name, attributes.value]))).toEqual(fields)
    expect(find(page, 'details').map(({ attributes }) => attributes.open)).toEqual(['', undefined])
    expect(find(await browser.see(`/plan?${new URLSearchParams({ ...fields, more: '1' })}`), 'fieldset').length).toBe(5)
    expect(Object.keys(fieldsOf(page, '/plan'))).toContain('hours')
  })

  test('shows only the form while nothing was asked, perhaps with the grant of a project', async () => {
    await using face = await startFace()
    for (const path of ['/plan', '/plan?granted=100&used=20', '/plan?days=&size.cpu=&size.ram=']) {
      const page = await person(face).see(path)
      expect(find(page, 'dl')).toEqual([])
      expect(find(page, 'p').filter(({ attributes }) => attributes.role === 'alert')).toEqual([])
    }
  })

  test.each([
    ['size.cpu=x&days=1', 'Machines 1, cpu: expected a number'],
    ['size.cpu=&size.cpu=-2&days=1', 'Machines 2, cpu: expected a number'],
    ['size.cpu=1&hours=25&days=1', 'Machines 1, hours a day: expected a number from 0 to 24'],
    ['size.cpu=1&weight.ram=2&days=1', 'Machines 1, weights: expected meters that sizes has'],
    ['size.cpu=1', 'days: expected a number of days'],
    ['size.cpu=1&days=1&credits=2', 'credits: expected nothing beside days'],
    ['count=3&days=1', 'Machines 1, sizes: expected at least one meter'],
    ['size.cpu=1&used=2&days=1', 'granted: expected the grant of the project'],
    ['size.cpu=%3Cscript%3E&days=1', 'got "<script>"'],
  ])('says what is wrong with ?%s', async (query, problem) => {
    await using face = await startFace()
    const answer = await face.get(`/plan?${query}`, HTML)
    expect(answer.status).toBe(400)
    const [alert] = find(checkPage(answer.text), 'p').filter(({ attributes }) => attributes.role === 'alert')
    expect(textOf(alert!)).toContain(problem)
  })

  test('is for everybody, as the API is', async () => {
    await using face = await startFace({ keys: { operator: 'key' } })
    expect((await face.get('/plan', HTML)).status).toBe(200)
  })
})
