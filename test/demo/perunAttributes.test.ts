import { expect, suite, test } from 'vitest'
import type { PerunSimulator } from '../../src/demo/perun/simulator.ts'
import {
  type AttributeBean,
  attribute,
  call,
  EMAIL,
  GRANTED,
  type GroupBean,
  perunForTest,
  post,
  refusal,
  SITE,
  set,
  TIMESTAMPS,
  USED,
} from './perunCalls.ts'

const RICH_GROUPS = 'groupsManager/getRichGroupsAssignedToResourceWithAttributesByNames'

async function attributesOfFirst(perun: PerunSimulator, parameters: unknown) {
  const [group] = await call<GroupBean[]>(perun, RICH_GROUPS, parameters)
  return group!.attributes
}

suite('the simulated Perun takes an attribute only as its own definition has it', () => {
  test.for([
    ['id', { id: 3382 }],
    ['namespace', { namespace: 'urn:perun:group:attribute-def:def' }],
    ['friendlyName', { friendlyName: 'denbiCreditsSpent' }],
    ['type', { type: 'java.lang.Integer' }],
    ['id, when it is missing', { id: undefined }],
  ] as const)('another %s is an attribute that does not exist', async ([, change]) => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const attributes = [{ ...(await attribute(perun, USED, '1')), ...change }]
    const { name } = await refusal(perun, 'attributesManager/setAttributes', { group, attributes })
    expect(name).toBe('AttributeNotExistsException')
  })

  test('one may send back what one got', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    const bean = await call(perun, 'attributesManager/getAttribute', { group, attributeName: USED })
    await call(perun, 'attributesManager/setAttribute', { group, attribute: { ...bean, value: '2', name: USED } })
    expect(perun.read('alpha').used).toBe('2')
  })

  test('a field that it does not know is refused', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const attributes = [{ ...(await attribute(perun, USED, '1')), comment: '' }]
    const { type } = await refusal(perun, 'attributesManager/setAttributes', { group, attributes })
    expect(type).toBe('CANNOT_DESERIALIZE_VALUE')
  })

  test.for([
    ['a number for a text', USED, 12, 'InternalErrorException'],
    ['a list for a text', USED, ['12'], 'InternalErrorException'],
    ['a text for a list', EMAIL, 'a@example.org', 'InternalErrorException'],
    ['a number in a list', EMAIL, [1], 'InternalErrorException'],
    ['a fraction', USED, 1.5, 'ConsistencyErrorException'],
    ['a number of more than 32 bits', USED, 2 ** 31, 'ConsistencyErrorException'],
  ] as const)('%s is refused like a failure of the server', async ([, name, value, type]) => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const { status, text } = await set(perun, group, name, value)
    expect([status, JSON.parse(text).type, JSON.parse(text).name]).toEqual([400, type, undefined])
  })

  test('a number in a map is refused', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const attributes = [await attribute(perun, TIMESTAMPS, { cpu: 1 })]
    const { type } = await refusal(perun, 'attributesManager/setAttributes', { group, resource: SITE, attributes })
    expect(type).toBe('InternalErrorException')
  })

  test('an attribute of a group with a site does not belong to a group, nor the other way round', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const toGroup = { group, attributes: [await attribute(perun, TIMESTAMPS, { a: 'b' })] }
    const toBoth = { group, resource: SITE, attributes: [await attribute(perun, USED, '1')] }
    for (const parameters of [toGroup, toBoth]) {
      const { name } = await refusal(perun, 'attributesManager/setAttributes', parameters)
      expect(name).toBe('WrongAttributeAssignmentException')
    }
  })
})

suite('the simulated Perun keeps values like the real one', () => {
  test.for([
    ['null', null],
    ['nothing', ''],
    ['blanks', ' \t'],
  ] as const)('setting a text to %s removes it', async ([, value]) => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    expect((await set(perun, group, USED, value)).text).toBe('null')
    expect(perun.read('alpha')).toMatchObject({ used: null, usedModifiedAt: null })
  })

  test('an empty list or map removes, the text 0 does not', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', email: ['a@example.org'], timestamps: { [SITE]: { a: 'b' } } })
    await set(perun, group, EMAIL, [])
    const attributes = [await attribute(perun, TIMESTAMPS, {})]
    await call(perun, 'attributesManager/setAttributes', { group, resource: SITE, attributes })
    await set(perun, group, USED, '0')
    expect(perun.read('alpha')).toMatchObject({ email: [], timestamps: {}, used: '0' })
  })

  test('notes who changed a value and when, but not when it was the same already', async () => {
    let now = Date.parse('2026-01-01T10:00:00.000Z')
    const perun = await perunForTest({ clock: { now: () => now }, login: 'credits' })
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    now += 1000
    await set(perun, group, USED, '2')
    const changed = { usedModifiedAt: '2026-01-01 10:00:01.000000', usedModifiedBy: 'credits' }
    expect(perun.read('alpha')).toMatchObject(changed)
    now += 1000
    perun.edit('alpha', { used: '2' })
    expect(perun.read('alpha')).toMatchObject(changed)
    perun.edit('alpha', { used: '2.0' }, 'Grace')
    expect(perun.read('alpha')).toMatchObject({ usedModifiedAt: '2026-01-01 10:00:02.000000', usedModifiedBy: 'Grace' })
    const bean = await call(perun, 'attributesManager/getAttribute', { group, attributeName: USED })
    expect(bean.valueCreatedAt).toBe('2026-01-01 10:00:00.000000')
  })

  test('two changes in one millisecond have different times', async () => {
    const perun = await perunForTest({ clock: { now: () => 0 } })
    perun.addGroup({ name: 'alpha', used: '1' })
    perun.edit('alpha', { used: '2' })
    expect(perun.read('alpha').usedModifiedAt).toBe('1970-01-01 00:00:00.000001')
  })

  test('a map with its keys in another order is the same, and another one replaces it whole', async () => {
    let now = 0
    const perun = await perunForTest({ clock: { now: () => now } })
    const group = perun.addGroup({ name: 'alpha', timestamps: { [SITE]: { cpu: '1', ram: '2' } } })
    const modified = async () =>
      (await call<AttributeBean[]>(perun, 'attributesManager/getAttributes', { group, resource: SITE }))[0]
        ?.valueModifiedAt
    const setMap = async (value: Record<string, string>) =>
      call(perun, 'attributesManager/setAttributes', {
        group,
        resource: SITE,
        attributes: [await attribute(perun, TIMESTAMPS, value)],
      })
    now = 5
    await setMap({ ram: '2', cpu: '1' })
    expect(await modified()).toBe('1970-01-01 00:00:00.000000')
    await setMap({ gpu: '3' })
    expect(await modified()).toBe('1970-01-01 00:00:00.005000')
    expect(perun.read('alpha').timestamps).toEqual({ [SITE]: { gpu: '3' } })
  })

  test('a list in another order is another list', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', email: ['a', 'b'] })
    await set(perun, group, EMAIL, ['b', 'a'])
    expect(perun.read('alpha').email).toEqual(['b', 'a'])
  })

  test('writes credits and timestamps together or not at all', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    const both = { group, resource: SITE, workWithGroupAttributes: true }
    const used = await attribute(perun, USED, '2')
    const wrong = [used, await attribute(perun, TIMESTAMPS, 'no map')]
    await refusal(perun, 'attributesManager/setAttributes', { ...both, attributes: wrong })
    expect(perun.read('alpha')).toMatchObject({ used: '1', timestamps: {} })
    const right = [used, await attribute(perun, TIMESTAMPS, { cpu: '2026-01-01 00:00:00.000000' })]
    await call(perun, 'attributesManager/setAttributes', { ...both, attributes: right })
    expect(perun.read('alpha')).toMatchObject({
      used: '2',
      timestamps: { [SITE]: { cpu: '2026-01-01 00:00:00.000000' } },
    })
  })

  test('lets the last writer win without a warning', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    const seen = await call(perun, 'attributesManager/getAttribute', { group, attributeName: USED })
    perun.edit('alpha', { used: '100' })
    await call(perun, 'attributesManager/setAttribute', { group, attribute: { ...seen, value: '2' } })
    expect(perun.read('alpha').used).toBe('2')
  })

  test('removes by the id of the definition, also what is not there', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1', granted: '5', timestamps: { [SITE]: { a: 'b' } } })
    const [used, granted, timestamps] = await Promise.all(
      [USED, GRANTED, TIMESTAMPS].map((name) => attribute(perun, name, null)),
    )
    await call(perun, 'attributesManager/removeAttribute', { group, attribute: used!.id })
    await call(perun, 'attributesManager/removeAttribute', { group, attribute: used!.id })
    await call(perun, 'attributesManager/removeAttributes', {
      group,
      resource: SITE,
      workWithGroupAttributes: true,
      attributes: [granted!.id, timestamps!.id],
    })
    expect(perun.read('alpha')).toMatchObject({ used: null, granted: null, timestamps: {} })
    const answer = await refusal(perun, 'attributesManager/removeAttribute', { group, attribute: 1 })
    expect(answer.name).toBe('AttributeNotExistsException')
  })

  test('does not care whether a group is assigned to a site, only that both are of one VO', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const stranger = perun.addGroup({ name: 'beta', voId: 1 })
    const attributes = [await attribute(perun, TIMESTAMPS, { a: 'b' })]
    await call(perun, 'attributesManager/setAttributes', { group, resource: SITE, attributes })
    expect(perun.read('alpha')).toMatchObject({ resources: [], timestamps: { [SITE]: { a: 'b' } } })
    const mismatch = { name: 'GroupResourceMismatchException' }
    const wrong = { group: stranger, resource: SITE }
    expect(await refusal(perun, 'attributesManager/setAttributes', { ...wrong, attributes })).toMatchObject(mismatch)
    expect(await refusal(perun, 'attributesManager/getAttributes', wrong)).toMatchObject(mismatch)
  })

  test.for([
    ['commas, colons and backslashes', { 'a,b:c\\': '2026-01-01 00:00:00,\\:' }],
    ['a line break alone', { 'a\nb': 'c' }],
    ['a key that JavaScript uses itself', JSON.parse('{"__proto__":"a"}')],
  ] as const)('a map with %s comes back as it was', async ([, value]) => {
    const perun = await perunForTest()
    perun.addGroup({ name: 'alpha', resources: [SITE], timestamps: { [SITE]: value } })
    const attributes = await attributesOfFirst(perun, { resource: SITE, attrNames: [TIMESTAMPS] })
    expect(JSON.stringify(attributes[0]?.value)).toBe(JSON.stringify(value))
  })

  test.for([',', ':'])('a line break and a "%s" in a map entry spoil the bulk read of the site', async (character) => {
    const perun = await perunForTest()
    perun.addGroup({ name: 'alpha', resources: [SITE], used: '1' })
    const group = perun.addGroup({ name: 'beta', resources: [SITE] })
    const parameters = {
      group,
      resource: SITE,
      attributes: [await attribute(perun, TIMESTAMPS, { 'a\nb': character })],
    }
    await call(perun, 'attributesManager/setAttributes', parameters)
    const bulk = { resource: SITE, attrNames: [USED, TIMESTAMPS] }
    const answer = await refusal(perun, RICH_GROUPS, bulk)
    expect(answer).toMatchObject({
      type: 'InternalErrorException',
      message: expect.stringContaining('Attribute conversion failed'),
    })
    expect(await call<GroupBean[]>(perun, RICH_GROUPS, { ...bulk, attrNames: [USED] })).toHaveLength(2)
    // Perun would have to read what is there before it could write something else.
    const repair = { ...parameters, attributes: [await attribute(perun, TIMESTAMPS, { a: 'b' })] }
    expect(await refusal(perun, 'attributesManager/setAttributes', repair)).toMatchObject({
      type: 'InternalErrorException',
    })
    await call(perun, 'attributesManager/removeAttribute', {
      group,
      resource: SITE,
      attribute: parameters.attributes[0]!.id,
    })
    expect(await call<GroupBean[]>(perun, RICH_GROUPS, bulk)).toHaveLength(2)
  })

  test('a line break and a comma in a list item make two of it, and \\0 becomes null', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    await set(perun, group, EMAIL, ['a\nb,c', '\\0', 'd'])
    const { value } = await call(perun, 'attributesManager/getAttribute', { group, attributeName: EMAIL })
    expect(value).toEqual(['a\nb\\', 'c', null, 'd'])
  })

  test('other types can be had: an integer keeps 0, a boolean of false is removed', async () => {
    const perun = await perunForTest({
      moreAttributes: [
        { name: 'urn:perun:group:attribute-def:def:size', id: 7, type: 'java.lang.Integer', displayName: 'Size' },
        { name: 'urn:perun:group:attribute-def:def:open', id: 8, type: 'java.lang.Boolean', displayName: 'Open' },
      ],
    })
    const group = perun.addGroup({ name: 'alpha' })
    const setAll = async (size: unknown, open: unknown) => {
      await set(perun, group, 'urn:perun:group:attribute-def:def:size', size)
      await set(perun, group, 'urn:perun:group:attribute-def:def:open', open)
      const beans = await call<AttributeBean[]>(perun, 'attributesManager/getAttributes', { group })
      return beans.map(({ value }) => value)
    }
    expect(await setAll(3, true)).toEqual([3, true])
    expect(await setAll(0, false)).toEqual([0])
  })
})

suite('the bulk read of the simulated Perun', () => {
  test('has the groups assigned to a site with the attributes of both kinds', async () => {
    const perun = await perunForTest()
    perun.addGroup({ name: 'alpha', resources: [SITE], used: '1', timestamps: { [SITE]: { cpu: 'x' } } })
    perun.addGroup({ name: 'unassigned', used: '2' })
    perun.addGroup({ name: 'failed', used: '3' })
    perun.assign('failed', SITE, 'FAILED')
    const groups = await call<GroupBean[]>(perun, RICH_GROUPS, {
      resource: SITE,
      attrNames: [USED, GRANTED, TIMESTAMPS],
    })
    expect(groups).toHaveLength(1)
    expect(groups[0]).toMatchObject({ name: 'alpha', beanName: 'RichGroup' })
    const values = groups[0]!.attributes.map((bean) => [bean.friendlyName, bean.value])
    expect(values).toEqual([
      ['denbiCreditsCurrent', '1'],
      ['denbiCreditsGranted', null],
      ['denbiCreditTimestamps', { cpu: 'x' }],
    ])
  })

  test.for([
    ['no names', undefined],
    ['an empty list of names', []],
  ] as const)('with %s has all that is set', async ([, attrNames]) => {
    const perun = await perunForTest()
    perun.addGroup({ name: 'alpha', resources: [SITE], used: '1', email: ['a@example.org'] })
    const attributes = await attributesOfFirst(perun, { resource: SITE, attrNames })
    expect(attributes.map((bean) => bean.value)).toEqual(['1', ['a@example.org']])
  })

  test('leaves out what is not defined or not readable without a word', async () => {
    const perun = await perunForTest({ attributes: { granted: null, email: { readable: false } } })
    const group = perun.addGroup({ name: 'alpha', resources: [SITE], used: '1', email: ['a@example.org'] })
    const attributes = await attributesOfFirst(perun, { resource: SITE, attrNames: [USED, GRANTED, EMAIL] })
    expect(attributes.map((bean) => bean.friendlyName)).toEqual(['denbiCreditsCurrent'])
    const answer = await refusal(perun, 'attributesManager/getAttribute', { group, attributeName: EMAIL })
    expect(answer.name).toBe('PrivilegeException')
  })

  test('says what may be written, and a write of anything else fails whole', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', resources: [SITE], used: '1' })
    perun.setRights('used', { writable: false })
    const attributes = await attributesOfFirst(perun, { resource: SITE, attrNames: [USED, TIMESTAMPS] })
    expect(attributes.map((bean) => bean.writable)).toEqual([false, true])
    const changes = [await attribute(perun, TIMESTAMPS, { a: 'b' }), await attribute(perun, USED, '2')]
    const both = { group, resource: SITE, workWithGroupAttributes: true, attributes: changes }
    expect(await refusal(perun, 'attributesManager/setAttributes', both)).toMatchObject({ name: 'PrivilegeException' })
    expect(perun.read('alpha')).toMatchObject({ used: '1', timestamps: {} })
    perun.setRights('used', { writable: true })
    expect((await post(perun, 'attributesManager/setAttributes', both)).status).toBe(200)
  })

  test('an attribute that was created anew has another id and no values', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', resources: [SITE], used: '1' })
    const old = await attribute(perun, USED, '2')
    perun.redefine('used')
    const answer = await refusal(perun, 'attributesManager/setAttribute', { group, attribute: old })
    expect(answer.name).toBe('AttributeNotExistsException')
    expect(perun.read('alpha').used).toBe(null)
    await set(perun, group, USED, '2')
    expect(perun.read('alpha').used).toBe('2')
  })

  test('has no group that was removed', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'alpha', resources: [SITE] })
    perun.removeGroup('alpha')
    expect(await call<GroupBean[]>(perun, RICH_GROUPS, { resource: SITE })).toEqual([])
    expect(await refusal(perun, 'groupsManager/getGroupById', { id })).toMatchObject({
      name: 'GroupNotExistsException',
    })
  })
})
