/** What the manuals have people type: targets of make, scripts of npm, services of Docker Compose, words of the command line. */
import { expect, suite, test } from 'vitest'
import { commands } from '#src/cli/commands/all.ts'
import { commonOptions } from '#src/cli/words.ts'
import { services } from './compose.ts'
import { manuals, packageJson, read, typedIn } from './repository.ts'

const lines = manuals.flatMap((path) => typedIn(read(path)))
const found = (pattern: RegExp) => lines.flatMap((line) => [...line.matchAll(pattern)])

/** Of a program that the command line passes words on to, those that its help tells of. */
function optionsOf(name: string): string[] {
  const { isPassedOn, options } = commands.find((each) => each.name === name)!
  if (!isPassedOn) return Object.keys({ ...commonOptions, ...options })
  const folder = name === 'verify' ? 'src/verify' : `src/tools/${name}`
  return [...read(`${folder}/main.ts`).matchAll(/^ {2}--([a-z-]+)/gm)].map((match) => match[1]!)
}

suite('The commands of the manuals', () => {
  test('that make does are targets, with profiles that there are', () => {
    const targets = [...read('Makefile').matchAll(/^([a-z-]+):/gm)].map((match) => match[1])
    const profiles = new Set(services.flatMap(([, service]) => service.profiles))
    const named = found(/(?:^|[ (])make ([a-z-]+)(?: PROFILE=(\w+))?/g)
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(([, target]) => !targets.includes(target!)).map(([all]) => all)).toEqual([])
    const others = named.filter(([, , profile]) => profile !== undefined && !profiles.has(profile))
    expect(others.map(([all]) => all)).toEqual([])
  })

  test('that npm does are scripts', () => {
    const named = found(/^npm (?:run )?((?<=run )[a-z:]+|test|start)/g).map(([, name]) => name!)
    expect(named).toEqual(expect.arrayContaining(['test', 'format', 'cli', 'demo']))
    expect(named.filter((name) => packageJson.scripts[name] === undefined)).toEqual([])
  })

  test('that Docker Compose does name profiles with the services that they name', () => {
    const named = found(/docker compose --profile (\w+) (\w+)(.*)$/g)
    expect(named.length).toBeGreaterThan(8)
    for (const [all, profile, verb, rest] of named) {
      const ofProfile = services.filter(([, { profiles }]) => profiles.includes(profile!)).map(([name]) => name)
      expect(ofProfile.length, all).toBeGreaterThan(0)
      expect(['up', 'exec', 'logs', 'run', 'stop', 'start', 'down', 'cp', 'ps'], all).toContain(verb)
      if (!['exec', 'cp', 'run', 'logs'].includes(verb!)) continue
      expect(
        ofProfile.some((name) => new RegExp(`(^| )${name}\\b`).test(rest!)),
        all,
      ).toBe(true)
    }
  })

  test('that the command line does are commands, with options that they have', () => {
    const named = found(/(?:(?:^|[\s;])os-credits|^npm run cli --) ([a-z][\w-]*)([^|;&<]*)/g)
    expect(named.length).toBeGreaterThan(20)
    const unknown = named.filter(([, name]) => !commands.some((each) => each.name === name))
    expect(unknown.map(([all]) => all)).toEqual([])
    const options = named.flatMap(([, name, rest]) =>
      [...rest!.replace(/"[^"]*"/g, '').matchAll(/ --([a-z-]+)/g)].map((match) => ({ name: name!, option: match[1]! })),
    )
    expect(options.length).toBeGreaterThan(10)
    expect(options.filter(({ name, option }) => !optionsOf(name).includes(option))).toEqual([])
  })
})
