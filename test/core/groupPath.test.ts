import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromPath, inPath } from '#src/core/groupPath.ts'

const names = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('.', '/', '%', 'a') }))

test('a name in an address is the same name again, and no browser takes anything out of it', () => {
  fc.assert(
    fc.property(names, (name) => {
      const { pathname } = new URL(`/groups/${inPath(name)}/explain`, 'http://127.0.0.1')
      const [, folder, part, rest, ...more] = pathname.split('/')
      expect([folder, fromPath(decodeURIComponent(part!)), rest, more]).toEqual(['groups', name, 'explain', []])
    }),
    { examples: ['.', '..', '../', '..//', './', '...', ''].map((name) => [name] as [string]) },
  )
})

test('dots that arrive are taken as they are', () => {
  expect(fromPath('..')).toBe('..')
})
