import { expect, suite, test, vi } from 'vitest'
import { MINUTE, SECOND } from '#src/core/time.ts'
import { createGroups, type GroupView } from '#src/publish/perun/groups.ts'
import { PerunError, type PerunRpc } from '#src/publish/perun/rpc.ts'
import { silent, T0, testClock } from '../../helpers/billing.ts'

const MAX_AGE = 10 * SECOND
const names = {
  used: 'urn:perun:group:attribute-def:opt:used',
  granted: 'urn:perun:group:attribute-def:opt:granted',
  timestamps: 'urn:perun:group_resource:attribute-def:opt:timestamps',
}

interface Shown {
  readonly id: number
  readonly used?: string | null
  readonly granted?: string | number
  readonly timestamps?: Record<string, string>
  readonly voId?: number
}

/** A Perun of one site whose answers wait as long as a test wants. */
function setUp({ demand = 0 }: { demand?: number } = {}) {
  const clock = testClock()
  const shown = new Map<string, Shown>()
  const unassigned = new Set<string>()
  const calls: string[] = []
  let hold: Promise<void> | undefined
  let error: PerunError | undefined

  const rpc: PerunRpc = {
    async call(method, parameters) {
      const { name, group } = parameters as { name?: string; group?: number }
      calls.push(method.endsWith('getAttributes') ? `read one ${group}` : `look for ${name}`)
      if (error !== undefined) throw error
      const found = [...shown].find(([each, { id }]) => each === name || id === group)
      if (found === undefined && !unassigned.has(name ?? ''))
        throw new PerunError(method, 'refused', 'GroupNotExistsException')
      return found === undefined ? { id: 99 } : beans(found[1])
    },
    async each(_, parameters, visit) {
      calls.push(`read site ${(parameters as { resource: number }).resource}`)
      // What is read is what stood there when the reading began.
      const then = [...shown].map(([name, group]) => ({
        name,
        id: group.id,
        voId: group.voId ?? 412,
        attributes: beans(group),
      }))
      await hold
      if (error !== undefined) throw error
      for (const group of then) visit(group)
    },
    close() {},
  }
  const groups = createGroups({ rpc, voId: 412, names, maxAge: MAX_AGE, clock, logger: silent, demand: () => demand })
  return {
    clock,
    groups,
    shown,
    unassigned,
    calls,
    view: (name: string, site = '1') => groups.view(site, name),
    /** From now on readings of a site do not end before this is called. */
    slowDown(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      hold = promise
      return () => {
        hold = undefined
        resolve()
      }
    },
    fail: (failure: PerunError | undefined) => {
      error = failure
    },
  }
}

function beans({ used = null, granted, timestamps }: Shown) {
  const bean = (name: string, value: unknown) => {
    const [namespace, friendlyName] = [name.slice(0, name.lastIndexOf(':')), name.slice(name.lastIndexOf(':') + 1)]
    return { id: 1, namespace, friendlyName, type: 'x', value, valueModifiedAt: 'then', valueModifiedBy: 'them' }
  }
  return [bean(names.used, used), bean(names.granted, granted ?? null), bean(names.timestamps, timestamps ?? null)]
}

suite('what Perun shows of a group', () => {
  test('is its used and granted credits, who changed them when, and its times', async () => {
    const { shown, view } = setUp()
    shown.set('a', { id: 7, used: '1.50', granted: 200, timestamps: { cpu: '2026-01-01 00:00:00.000000' } })
    expect(await view('a')).toEqual({
      id: 7,
      used: '1.50',
      usedModifiedAt: 'then',
      usedModifiedBy: 'them',
      granted: '200',
      timestamps: { cpu: '2026-01-01 00:00:00.000000' },
      readAt: T0,
    })
  })

  test('is nothing where nothing is set', async () => {
    const { shown, view } = setUp()
    shown.set('a', { id: 7 })
    const group = await view('a')
    expect(group).toMatchObject({ id: 7, timestamps: {} })
    expect(group).not.toHaveProperty('used')
    expect(group).not.toHaveProperty('granted')
  })

  test('is not that of a group with the same name in another organisation', async () => {
    const { shown, view } = setUp()
    shown.set('a', { id: 7, voId: 9 })
    expect(typeof (await view('a'))).toBe('string')
  })

  test('is its absence, told apart by asking for its name', async () => {
    const { shown, unassigned, view, calls } = setUp()
    shown.set('a', { id: 7 })
    unassigned.add('elsewhere')
    expect(await view('elsewhere')).toBe('not assigned')
    expect(await view('nowhere')).toBe('unknown group')
    expect(calls).toEqual(['read site 1', 'look for elsewhere', 'look for nowhere'])
  })

  test('is its absence when it was removed since the site was read', async () => {
    const { shown, view, clock, calls } = setUp()
    shown.set('a', { id: 7 })
    await view('a')
    shown.delete('a')
    clock.pass(MAX_AGE + 1)
    expect(await view('a')).toBe('unknown group')
    expect(calls.at(-1)).toBe('read one 7')
  })

  test('cannot be told when Perun cannot be asked', async () => {
    const { fail, view } = setUp()
    fail(new PerunError('x', 'unavailable', 'HTTP 503'))
    await expect(view('a')).rejects.toMatchObject({ failure: 'unavailable' })
  })
})

suite('how often Perun is asked', () => {
  test('a site once for all its groups, within the age that is allowed', async () => {
    const { shown, view, clock, calls } = setUp()
    for (let id = 1; id <= 50; id += 1) shown.set(`group ${id}`, { id })
    for (const name of shown.keys()) await view(name)
    clock.pass(MAX_AGE)
    for (const name of shown.keys()) await view(name)
    expect(calls).toEqual(['read site 1'])
  })

  test('a site once when all its groups ask at the same time', async () => {
    const { shown, view, calls, slowDown } = setUp()
    const goOn = slowDown()
    for (let id = 1; id <= 50; id += 1) shown.set(`group ${id}`, { id })
    const views = Promise.all([...shown.keys()].map((name) => view(name)))
    goOn()
    expect(await views).toHaveLength(50)
    expect(calls).toEqual(['read site 1'])
  })

  test('each site by itself', async () => {
    const { shown, view, calls } = setUp()
    shown.set('a', { id: 7 })
    await Promise.all([view('a', '1'), view('a', '2')])
    expect(calls).toEqual(['read site 1', 'read site 2'])
  })

  test('a group by itself when that is too old and few wait', async () => {
    const { shown, view, clock, calls } = setUp({ demand: 9 })
    shown.set('a', { id: 7, used: '1.00' })
    await view('a')
    clock.pass(MAX_AGE + 1)
    shown.set('a', { id: 7, used: '2.00' })
    expect(await view('a')).toMatchObject({ used: '2.00', readAt: T0 + MAX_AGE + 1 })
    clock.pass(MAX_AGE)
    expect(await view('a')).toMatchObject({ used: '2.00' })
    expect(calls).toEqual(['read site 1', 'read one 7'])
  })

  test('the site again when that is too old and many wait', async () => {
    const { shown, view, clock, calls } = setUp({ demand: 10 })
    shown.set('a', { id: 7 })
    await view('a')
    clock.pass(MAX_AGE + 1)
    await view('a')
    expect(calls).toEqual(['read site 1', 'read site 1'])
  })

  test('the site again before that is too old, if many wait, and keeps nobody waiting meanwhile', async () => {
    const { clock, shown, view, calls, slowDown } = setUp({ demand: 10 })
    shown.set('alpha', { id: 1, used: '1' })
    const goOn = slowDown()
    const first = view('alpha')
    clock.pass(SECOND)
    goOn()
    await first
    clock.pass(MAX_AGE - 4 * SECOND)
    await view('alpha')
    expect(calls).toEqual(['read site 1'])
    clock.pass(2 * SECOND)
    shown.set('alpha', { id: 1, used: '2' })
    const end = slowDown()
    expect(await view('alpha')).toMatchObject({ used: '1' })
    expect(await view('alpha')).toMatchObject({ used: '1' })
    end()
    await vi.waitFor(async () => expect(await view('alpha')).toMatchObject({ used: '2' }))
    expect(calls).toEqual(['read site 1', 'read site 1'])
  })

  test('the site again for a group that it did not have', async () => {
    const { shown, unassigned, view, clock, calls } = setUp()
    unassigned.add('new')
    expect(await view('new')).toBe('not assigned')
    clock.pass(MAX_AGE + 1)
    shown.set('new', { id: 8 })
    expect(await view('new')).toMatchObject({ id: 8 })
    expect(calls).toEqual(['read site 1', 'look for new', 'read site 1'])
  })

  // A group read by itself is found although it has lost its site.
  test('the site again after five minutes, though each group was read by itself meanwhile', async () => {
    const { shown, unassigned, view, clock, calls } = setUp()
    shown.set('a', { id: 7 })
    for (let minute = 0; minute <= 5; minute += 1) {
      await view('a')
      clock.pass(MINUTE)
    }
    shown.delete('a')
    unassigned.add('a')
    expect(await view('a')).toBe('not assigned')
    expect(calls.filter((call) => call === 'read site 1')).toHaveLength(2)
  })

  test('a site that Perun refuses, once in a minute for all its groups', async () => {
    const { shown, view, fail, clock, calls } = setUp()
    fail(new PerunError('x', 'refused', 'ResourceNotExistsException'))
    for (const name of ['a', 'b', 'c']) await expect(view(name)).rejects.toMatchObject({ failure: 'refused' })
    expect(calls).toHaveLength(1)
    fail(undefined)
    shown.set('a', { id: 7 })
    await expect(view('a')).rejects.toMatchObject({ failure: 'refused' })
    clock.pass(MINUTE)
    expect(await view('a')).toMatchObject({ id: 7 })
  })

  test('again at once after it could not answer', async () => {
    const { shown, view, fail } = setUp()
    fail(new PerunError('x', 'unavailable', 'HTTP 503'))
    await expect(Promise.all([view('a'), view('b')])).rejects.toMatchObject({ failure: 'unavailable' })
    fail(undefined)
    shown.set('a', { id: 7 })
    expect(await view('a')).toMatchObject({ id: 7 })
  })
})

suite('what we wrote', () => {
  const written = { used: '5.00', timestamps: { cpu: 'now' } }

  test('is known without being read again, at all sites of the group', async () => {
    const { shown, view, groups, calls, clock } = setUp()
    shown.set('a', { id: 7, used: '1.00', timestamps: { cpu: 'before' } })
    await Promise.all([view('a', '1'), view('a', '2')])
    groups.written('1', 'a', written)
    clock.pass(MAX_AGE)
    expect(await view('a', '1')).toMatchObject({ used: '5.00', timestamps: { cpu: 'now' } })
    expect(await view('a', '2')).toMatchObject({ used: '5.00', timestamps: { cpu: 'before' } })
    expect(calls).toHaveLength(2)
  })

  // A group that is written more often than it need be read would else never be read again, and what somebody edits or
  // grants never be seen.
  test('is no reason to read the group later than it would have been', async () => {
    const { shown, view, groups, clock } = setUp()
    shown.set('a', { id: 7, used: '1.00', granted: '100' })
    await view('a')
    for (let write = 0; write < 5; write += 1) {
      clock.pass(MAX_AGE / 4)
      groups.written('1', 'a', written)
    }
    shown.set('a', { id: 7, used: '0.00', granted: '200' })
    expect(await view('a')).toMatchObject({ used: '0.00', granted: '200' })
  })

  test('is not undone by a reading of the site that began before', async () => {
    const { shown, view, groups, clock, slowDown } = setUp({ demand: 10 })
    shown.set('a', { id: 7, used: '1.00' })
    shown.set('b', { id: 8, used: '1.00' })
    await view('a')
    clock.pass(MAX_AGE + 1)
    const goOn = slowDown()
    const reading = view('b')
    clock.pass(SECOND)
    groups.written('1', 'a', written)
    shown.set('a', { id: 7, ...written })
    goOn()
    await reading
    expect(await view('a')).toMatchObject(written)
  })

  test('gives way to a reading that began after', async () => {
    const { shown, view, groups, clock } = setUp({ demand: 10 })
    shown.set('a', { id: 7, used: '1.00' })
    await view('a')
    groups.written('1', 'a', written)
    shown.set('a', { id: 7, used: '4.00' })
    clock.pass(MAX_AGE + 1)
    expect(await view('a')).toMatchObject({ used: '4.00' })
  })

  test('does not bring back a group that has left the site meanwhile', async () => {
    const { shown, unassigned, view, groups, clock } = setUp({ demand: 10 })
    shown.set('a', { id: 7 })
    await view('a')
    clock.pass(MAX_AGE + 1)
    shown.delete('a')
    unassigned.add('a')
    shown.set('b', { id: 8 })
    const reading = view('b')
    groups.written('1', 'a', written)
    await reading
    expect(await view('a')).toBe('not assigned')
  })
})

suite('a write whose outcome is not known', () => {
  test('has the group read again before the next one', async () => {
    const { shown, view, groups, calls } = setUp()
    shown.set('a', { id: 7, used: '1.00' })
    await view('a')
    groups.doubt('a')
    shown.set('a', { id: 7, used: '5.00' })
    expect(await view('a')).toMatchObject({ used: '5.00' })
    expect(await view('a')).toMatchObject({ used: '5.00' })
    expect(calls).toEqual(['read site 1', 'read one 7'])
  })

  // Else what stood there before the write would pass for the truth, and the write, once seen, for somebody's edit.
  test('has it read again although a reading of the site was under way', async () => {
    const { shown, view, groups, clock, slowDown } = setUp({ demand: 10 })
    shown.set('a', { id: 7, used: '1.00' })
    shown.set('b', { id: 8, used: '1.00' })
    await view('a')
    clock.pass(MAX_AGE + 1)
    const goOn = slowDown()
    const reading = view('b')
    clock.pass(SECOND)
    groups.doubt('a')
    shown.set('a', { id: 7, used: '5.00' })
    goOn()
    await reading
    expect(await view('a')).toMatchObject({ used: '5.00' })
    expect((await view('b')) as GroupView).toMatchObject({ used: '1.00' })
  })

  test('has it read again at each of its sites', async () => {
    const { shown, view, groups, calls } = setUp()
    shown.set('a', { id: 7 })
    await Promise.all([view('a', '1'), view('a', '2')])
    groups.doubt('a')
    await view('a', '1')
    await view('a', '2')
    expect(calls.slice(2)).toEqual(['read one 7', 'read one 7'])
  })

  test('is forgotten with a later reading of the whole site', async () => {
    const { shown, view, groups, clock, calls } = setUp({ demand: 10 })
    shown.set('a', { id: 7 })
    await view('a')
    groups.doubt('a')
    clock.pass(MAX_AGE + 1)
    await view('a')
    await view('a')
    expect(calls).toEqual(['read site 1', 'read site 1'])
  })
})
