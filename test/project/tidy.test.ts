/** What must not be in the repository: the places and registries of whoever worked on it. */
import { expect, suite, test } from 'vitest'
import { allFiles, read, root } from './repository.ts'

const binary = /\.(gz|db|ico|png)$/
/** Paths in these are paths in an image. */
const ofImages = /^Dockerfile/

suite('No file', () => {
  const files = allFiles().filter((path) => !binary.test(path))

  test('is left out of what is looked at here', () => {
    expect(files).toEqual(
      expect.arrayContaining(['.npmrc', '.ci/run', 'src/main.ts', 'package-lock.json', 'README.md']),
    )
    expect(files.filter((path) => path.startsWith('node_modules'))).toEqual([])
  })

  test('names a place on the machine of whoever wrote it', () => {
    const home = /(?<![\w.~)}-])\/(?:root|home|Users)\/[\w.]/
    const place = `${root}/`
    const offenders = files
      .filter((path) => !ofImages.test(path))
      .filter((path) => home.test(read(path)) || (place.split('/').length > 3 && read(path).includes(place)))
    expect(offenders).toEqual([])
  })

  test('has a space at the end of a line or lacks the line feed at its end', () => {
    const written = files.filter((path) => /\.(md|ts|yml|yaml|json|sql|toml)$|^(Makefile|Dockerfile)|\.env$/.test(path))
    const ours = written.filter((path) => !path.startsWith('test/fixtures/'))
    expect(ours.filter((path) => / $/m.test(read(path)) || !read(path).endsWith('\n'))).toEqual([])
  })
})

suite('The packages', () => {
  test('are locked without the registry that they came from', () => {
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { resolved?: string }> }
    expect(Object.keys(lock.packages).length).toBeGreaterThan(100)
    expect(Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  })

  test('come from the registry of whoever installs them', () => {
    const settings = read('.npmrc')
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0])
    expect(settings).toContain('omit-lockfile-registry-resolved')
    expect(settings.filter((name) => /registry$|proxy|auth|token|cafile/i.test(name!))).toEqual([])
  })
})
