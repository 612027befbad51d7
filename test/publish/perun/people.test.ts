/** Who is to be told, as Perun has it. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { createPeople } from '#src/publish/perun/people.ts'
import { createPerunRpc, PerunError } from '#src/publish/perun/rpc.ts'

const attributeName = 'urn:perun:group:attribute-def:def:toEmail'

async function setUp(options: Parameters<typeof startPerun>[0] = {}) {
  const perun = await startPerun(options)
  onTestFinished(() => perun.close())
  const rpc = createPerunRpc({ url: perun.url, login: 'credits', password: 'secret', timeout: 5_000, connections: 2 })
  onTestFinished(() => rpc.close())
  return { perun, peopleOf: createPeople({ rpc, voId: perun.voId, attributeName }) }
}

suite('The people of a group', () => {
  test('are those of its list in Perun, as they stand there now', async () => {
    const { perun, peopleOf } = await setUp()
    perun.addGroup({ name: 'alpha', email: ['erika@example.org', 'no address'] })
    perun.addGroup({ name: 'beta' })
    expect(await peopleOf('alpha')).toEqual(['erika@example.org', 'no address'])
    perun.edit('alpha', { email: ['max@example.org'] })
    expect(await peopleOf('alpha')).toEqual(['max@example.org'])
    expect(await peopleOf('beta')).toEqual([])
  })

  test.each(['unknown', 'a\0b', ''])('are nobody if Perun has no group %j', async (name) => {
    const { peopleOf } = await setUp()
    expect(await peopleOf(name)).toEqual([])
  })

  test('of a group with a strange name are found', async () => {
    const { perun, peopleOf } = await setUp()
    const name = 'Großes "Mikroskop"\n<b>;,'
    perun.addGroup({ name, email: ['erika@example.org'] })
    expect(await peopleOf(name)).toEqual(['erika@example.org'])
  })

  test('are not known if we may not read the list', async () => {
    const { perun, peopleOf } = await setUp({ attributes: { email: { readable: false } } })
    perun.addGroup({ name: 'alpha', email: ['erika@example.org'] })
    await expect(peopleOf('alpha')).rejects.toThrow(PerunError)
  })
})
