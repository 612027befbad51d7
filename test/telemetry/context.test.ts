import { setTimeout as sleep } from 'node:timers/promises'
import { expect, suite, test } from 'vitest'
import { currentTask, newTaskId, withTask } from '#src/telemetry/context.ts'

suite('A task', () => {
  test('is known in everything that it starts, and nowhere else', async () => {
    const seen: (string | undefined)[] = []
    const work = withTask('scrape-1', async () => {
      seen.push(currentTask())
      await sleep(1)
      seen.push(currentTask())
    })
    seen.push(currentTask())
    await work
    seen.push(currentTask())
    expect(seen).toEqual(['scrape-1', undefined, 'scrape-1', undefined])
  })

  test('does not mix with another one that runs at the same time', async () => {
    const work = async () => {
      await sleep(1)
      return currentTask()
    }
    expect(await Promise.all([withTask('a', work), withTask('b', work)])).toEqual(['a', 'b'])
  })

  test('gives way to a task within it and returns after it', () => {
    const ids = withTask('outer', () => [withTask('inner', currentTask), currentTask()])
    expect(ids).toEqual(['inner', 'outer'])
  })

  test('gets an id of its own that tells what kind of work it is', () => {
    const ids = new Set(Array.from({ length: 1_000 }, () => newTaskId('publish')))
    expect(ids.size).toBe(1_000)
    for (const id of ids) expect(id).toMatch(/^publish-[0-9a-f]{8}-[0-9a-z]+$/)
  })
})
