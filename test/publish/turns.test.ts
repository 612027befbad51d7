import { expect, test } from 'vitest'
import { createTurns } from '#src/publish/turns.ts'

const settle = () => new Promise((resolve) => setImmediate(resolve))

test('so many have their turn at a time, the others wait in the order in which they asked', async () => {
  const newTurn = createTurns(2)
  const turns = ['a', 'b', 'c', 'd'].map((name) => ({ name, turn: newTurn() }))
  const begun: string[] = []
  for (const { name, turn } of turns) void turn.take().then(() => begun.push(name))
  await settle()
  expect(begun).toEqual(['a', 'b'])
  turns[1]!.turn.end()
  await settle()
  expect(begun).toEqual(['a', 'b', 'c'])
  turns[0]!.turn.end()
  await settle()
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
})

test('a turn that was taken is kept, however often it is taken, until it ends', async () => {
  const newTurn = createTurns(1)
  const [first, second] = [newTurn(), newTurn()]
  await first.take()
  await first.take()
  let isOver = false
  void second.take().then(() => {
    isOver = true
  })
  await settle()
  expect(isOver).toBe(false)
  first.end()
  await settle()
  expect(isOver).toBe(true)
})

test('a turn that ends without being taken costs nobody one', async () => {
  const newTurn = createTurns(1)
  newTurn().end()
  const next = newTurn()
  await next.take()
  next.end()
  await newTurn().take()
})
