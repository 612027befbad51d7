import { expect, suite, test } from 'vitest'
import {
  type AttributeBean,
  attribute,
  call,
  GRANTED,
  type GroupBean,
  OTHER_SITE,
  perunForTest,
  post,
  refusal,
  request,
  SITE,
  TIMESTAMPS,
  USED,
} from './perunCalls.ts'

suite('the simulated Perun is called like the real one', () => {
  test('whatever kind of authentication the path names, and whatever follows the method', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'alpha' })
    for (const path of ['ba/rpc/json/groupsManager/getGroupById', 'krb/rpc/json/groupsManager/getGroupById/a/b']) {
      const { status, text } = await request(`${perun.home}/${path}`, { method: 'POST', body: `{"id":${id}}` })
      expect([status, JSON.parse(text).name]).toEqual([200, 'alpha'])
    }
  })

  test('with BodyParams behind the name of a method, as its OpenAPI description has it', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'alpha' })
    expect(await call(perun, 'groupsManager/getGroupByIdBodyParams', { id })).toMatchObject({ name: 'alpha' })
  })

  test('a POST takes its parameters from the body alone', async () => {
    const perun = await perunForTest()
    const { status, text } = await post(perun, 'groupsManager/getGroupById?id=1', {})
    expect([status, JSON.parse(text)]).toMatchObject([400, { type: 'MISSING_VALUE', errorInfo: 'id' }])
  })

  test('a GET takes them from the query, lists as repeated names', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1.50', granted: '200', email: ['a@example.org'] })
    for (const names of [`attrNames[]=${USED}&attrNames[]=${GRANTED}`, `attrNames=${USED}&attrNames=${GRANTED}`]) {
      const { text } = await request(`${perun.url}/attributesManager/getAttributes?group=${group}&${names}`)
      expect(JSON.parse(text).map((bean: { value: unknown }) => bean.value)).toEqual(['1.50', '200'])
    }
    const { text } = await request(`${perun.url}/attributesManager/getAttributes?group=${group}&attrNames=${USED}`)
    expect(JSON.parse(text)).toHaveLength(1)
  })

  test('a GET may not change anything', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'alpha', used: '1' })
    const { status, text } = await request(`${perun.url}/attributesManager/removeAttribute?group=${id}&attribute=50117`)
    expect([status, JSON.parse(text).type]).toEqual([400, 'STATE_CHANGING_CALL'])
    expect(perun.read('alpha').used).toBe('1')
  })

  test.for([
    ['an empty body', '', 'application/json'],
    ['a list', '[]', 'application/json'],
    ['no JSON', '{id:1}', 'application/json'],
    ['a form, which the container swallows', '{"id":1}', 'application/x-www-form-urlencoded'],
  ] as const)('a POST with %s is refused', async ([, body, type]) => {
    const perun = await perunForTest()
    const headers = { 'content-type': type }
    const { status, text } = await request(`${perun.url}/groupsManager/getGroupById`, { method: 'POST', body, headers })
    expect([status, JSON.parse(text).type]).toEqual([400, 'WRONGLY_FORMATTED_CONTENT'])
  })

  test.for([
    ['json/groupsManager/deleteGroup', 'UNKNOWN_METHOD'],
    ['json/groupsManager/constructor', 'UNKNOWN_METHOD'],
    ['json/usersManager/getUserById', 'UNKNOWN_MANAGER'],
    ['jsonp/groupsManager/getGroupById', 'UNKNOWN_SERIALIZER_FORMAT'],
    ['json/groupsManager', 'INVALID_URL'],
  ] as const)('%s is refused as %s', async ([path, type]) => {
    const perun = await perunForTest()
    const { status, text } = await request(`${perun.home}/ba/rpc/${path}`, { method: 'POST', body: '{"id":1}' })
    expect([status, JSON.parse(text).type]).toEqual([400, type])
  })

  test('numbers may be written as texts, and anything else is refused', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'alpha' })
    expect(await call(perun, 'groupsManager/getGroupById', { id: String(id) })).toMatchObject({ id })
    for (const wrong of [null, 'x', 1.5, 3e9, [id], true]) {
      const { type } = await refusal(perun, 'groupsManager/getGroupById', { id: wrong })
      expect(type, JSON.stringify(wrong)).toBe('CANNOT_DESERIALIZE_VALUE')
    }
  })

  test('says that it is alive', async () => {
    const perun = await perunForTest()
    expect((await request(`${perun.home}/ba/rpc/`)).text).toMatch(/^OK! Version: /)
  })

  test('tells the time and who calls', async () => {
    const perun = await perunForTest({ clock: { now: () => 1_795_000_000_000 } })
    expect(await call(perun, 'utils/getPerunSystemTimeInMillis', {})).toBe(1_795_000_000_000)
    expect(await call(perun, 'authzResolver/getPerunPrincipal', {})).toMatchObject({ actor: 'credits' })
  })
})

suite('the simulated Perun chooses among methods of one name by the keys that are there', () => {
  test('attributes of a group with a site come without those of the group, and names are ignored', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1', resources: [SITE], timestamps: { [SITE]: { a: 'b' } } })
    const answer = await call<AttributeBean[]>(perun, 'attributesManager/getAttributes', {
      group,
      resource: SITE,
      attrNames: [USED],
    })
    expect(answer.map((bean) => bean.friendlyName)).toEqual(['denbiCreditTimestamps'])
  })

  test('workWithGroupAttributes brings both, and makes names count', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1', granted: '5', timestamps: { [SITE]: { a: 'b' } } })
    const both = { group, resource: SITE, workWithGroupAttributes: true }
    const all = await call<AttributeBean[]>(perun, 'attributesManager/getAttributes', both)
    expect(all.map((bean) => bean.value)).toEqual(['1', '5', { a: 'b' }])
    const some = await call<AttributeBean[]>(perun, 'attributesManager/getAttributes', {
      ...both,
      attrNames: [TIMESTAMPS, USED],
    })
    expect(some.map((bean) => bean.value)).toEqual(['1', { a: 'b' }])
    const none = await call(perun, 'attributesManager/getAttributes', {
      ...both,
      workWithGroupAttributes: false,
      attrNames: [USED],
    })
    expect(none).toEqual([])
  })

  test('a key with null is there too', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    const { type } = await refusal(perun, 'attributesManager/getAttributes', { group, resource: null })
    expect(type).toBe('CANNOT_DESERIALIZE_VALUE')
  })

  test('a VO beside a group addresses the VO', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha', used: '1' })
    expect(await call(perun, 'attributesManager/getAttributes', { vo: perun.voId, group })).toEqual([])
    const attributes = [await attribute(perun, USED, '2')]
    const answer = await refusal(perun, 'attributesManager/setAttributes', { vo: perun.voId, group, attributes })
    expect(answer.name).toBe('WrongAttributeAssignmentException')
    expect(perun.read('alpha').used).toBe('1')
  })

  test('a call about nothing is refused', async () => {
    const perun = await perunForTest()
    expect(await refusal(perun, 'attributesManager/getAttributes', {})).toMatchObject({ type: 'MISSING_VALUE' })
  })
})

suite('the simulated Perun refuses in two shapes', () => {
  test('a checked exception has a name and no type', async () => {
    const perun = await perunForTest()
    const answer = await refusal(perun, 'groupsManager/getGroupByName', { vo: perun.voId, name: 'nobody' })
    expect(answer).toEqual({
      errorId: expect.stringMatching(/^[0-9a-f]+$/),
      name: 'GroupNotExistsException',
      message: expect.stringMatching(/^Error [0-9a-f]+: .*nobody/),
      friendlyMessageTemplate: null,
      suppressed: [],
      group: null,
    })
  })

  test('a runtime exception has a type and no name', async () => {
    const perun = await perunForTest()
    perun.faults.fail({ how: 'internal-error' })
    const answer = await refusal(perun, 'groupsManager/getGroupByName', { vo: perun.voId, name: 'nobody' })
    expect(Object.keys(answer).sort()).toEqual(['errorId', 'message', 'suppressed', 'type'])
    expect(answer.type).toBe('InternalErrorException')
  })

  test('a refusal of the RPC layer has a type and tells what it is about', async () => {
    const perun = await perunForTest()
    const answer = await refusal(perun, 'groupsManager/getGroupById', {})
    expect(answer).toMatchObject({ type: 'MISSING_VALUE', errorInfo: 'id' })
    expect(answer).not.toHaveProperty('name')
  })

  test.for([
    ['groupsManager/getGroupById', { id: 1 }, 'GroupNotExistsException'],
    ['groupsManager/getGroupByName', { vo: 1, name: 'alpha' }, 'VoNotExistsException'],
    ['vosManager/getVoById', { id: 1 }, 'VoNotExistsException'],
    ['resourcesManager/getResourceById', { id: 1 }, 'ResourceNotExistsException'],
    ['resourcesManager/getAssignedGroups', { resource: 1 }, 'ResourceNotExistsException'],
    ['resourcesManager/getAssignedResources', { group: 1 }, 'GroupNotExistsException'],
    ['attributesManager/getAttributes', { facility: 1, group: 1 }, 'FacilityNotExistsException'],
    ['attributesManager/getAttributes', { member: 1, group: 1 }, 'MemberNotExistsException'],
    ['attributesManager/getAttributeDefinition', { attributeName: 'urn:x' }, 'AttributeNotExistsException'],
  ] as const)('%s of what does not exist', async ([method, parameters, name]) => {
    const perun = await perunForTest()
    expect(await refusal(perun, method, parameters)).toMatchObject({ name })
  })

  test('a method without a result answers null', async () => {
    const perun = await perunForTest()
    const group = perun.addGroup({ name: 'alpha' })
    const { status, headers, text } = await post(perun, 'attributesManager/setAttributes', { group, attributes: [] })
    expect([status, headers.get('content-type'), text]).toEqual([200, 'application/json; charset=utf-8', 'null'])
  })
})

suite('the beans of the simulated Perun have every field', () => {
  const audit = ['createdAt', 'createdBy', 'modifiedAt', 'modifiedBy', 'createdByUid', 'modifiedByUid']

  test('an attribute', async () => {
    const perun = await perunForTest({ clock: { now: () => Date.parse('2026-01-01T10:00:00.123Z') } })
    const group = perun.addGroup({ name: 'alpha', used: '12.34' })
    const bean = await call(perun, 'attributesManager/getAttribute', { group, attributeName: USED })
    expect(bean).toEqual({
      id: 50_117,
      ...Object.fromEntries(audit.map((field) => [field, null])),
      friendlyName: 'denbiCreditsCurrent',
      namespace: 'urn:perun:group:attribute-def:opt',
      description: null,
      type: 'java.lang.String',
      displayName: 'de.NBI credits used',
      writable: true,
      unique: false,
      value: '12.34',
      valueCreatedAt: '2026-01-01 10:00:00.123000',
      valueCreatedBy: 'setup',
      valueModifiedAt: '2026-01-01 10:00:00.123000',
      valueModifiedBy: 'setup',
      baseFriendlyName: 'denbiCreditsCurrent',
      entity: 'group',
      friendlyNameParameter: '',
      beanName: 'Attribute',
    })
  })

  test('a definition is an attribute without a value', async () => {
    const perun = await perunForTest()
    const definitions = await call<AttributeBean[]>(perun, 'attributesManager/getAttributesDefinition', {})
    expect(definitions).toHaveLength(4)
    const timestamps = definitions.find(({ friendlyName }) => TIMESTAMPS.endsWith(friendlyName))
    expect(timestamps).toMatchObject({
      entity: 'group_resource',
      type: 'java.util.LinkedHashMap',
      beanName: 'AttributeDefinition',
    })
    expect(Object.keys(timestamps!).filter((field) => field.startsWith('value'))).toEqual([])
  })

  test('groups, resources and VOs', async () => {
    const perun = await perunForTest()
    const id = perun.addGroup({ name: 'parent:child', resources: [SITE] })
    const group = await call(perun, 'groupsManager/getGroupByName', { vo: perun.voId, name: 'parent:child' })
    expect(Object.keys(group)).toEqual([
      'id',
      ...audit,
      'voId',
      'parentGroupId',
      'name',
      'description',
      'uuid',
      'shortName',
      'beanName',
    ])
    expect(group).toMatchObject({ id, voId: perun.voId, parentGroupId: null, shortName: 'child', beanName: 'Group' })
    const resource = await call(perun, 'resourcesManager/getResourceById', { id: SITE })
    expect(Object.keys(resource)).toEqual([
      'id',
      ...audit,
      'facilityId',
      'voId',
      'name',
      'description',
      'uuid',
      'beanName',
    ])
    expect(resource).toMatchObject({ id: SITE, name: `site-${SITE}`, beanName: 'Resource' })
    const vo = await call(perun, 'vosManager/getVoById', { id: perun.voId })
    expect(vo).toMatchObject({ id: perun.voId, beanName: 'Vo' })
  })

  test('assignments in force are listed from both sides', async () => {
    const perun = await perunForTest()
    const alpha = perun.addGroup({ name: 'alpha', resources: [SITE, OTHER_SITE] })
    perun.addGroup({ name: 'beta', resources: [SITE] })
    perun.assign('alpha', OTHER_SITE, 'INACTIVE')
    const ids = (beans: { id: number }[]) => beans.map(({ id }) => id)
    expect(ids(await call<GroupBean[]>(perun, 'resourcesManager/getAssignedResources', { group: alpha }))).toEqual([
      SITE,
    ])
    expect(await call(perun, 'resourcesManager/getAssignedGroups', { resource: SITE })).toHaveLength(2)
    perun.unassign('beta', SITE)
    expect(ids(await call<GroupBean[]>(perun, 'resourcesManager/getAssignedGroups', { resource: SITE }))).toEqual([
      alpha,
    ])
  })
})
