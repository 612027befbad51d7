/** What may be typed, and what the help says about it. */
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { expect, suite, test } from 'vitest'
import { commands } from '#src/cli/commands/all.ts'
import { commonOptions, readWords, splitAtCommand } from '#src/cli/words.ts'
import { packageJson, read, section, tableRows } from '../project/repository.ts'
import { program, typed } from './commandLine.ts'

suite('What is typed', () => {
  const options = { ...commonOptions, reason: { value: 'TEXT', doc: 'why' }, yes: { doc: 'do it' } }
  const operandsOf = (...words: string[]) => readWords(words, options).operands

  test('may have options in any place, and numbers below zero', () => {
    const call = readWords(['bio', '--reason=a=b', '-12.5', '--yes'], options)
    expect([call.operands, call.text('reason'), call.has('yes'), call.has('json')]).toEqual([
      ['bio', '-12.5'],
      'a=b',
      true,
      false,
    ])
    expect(operandsOf('--', '--yes', '-x')).toEqual(['--yes', '-x'])
    expect(operandsOf('--reason', '-1', '-2xcpu=1', '-.5')).toEqual(['-2xcpu=1', '-.5'])
  })

  test('may begin with options of every command', () => {
    const words = ['--url', 'http://x', '--json', 'groups', '--key', 'k']
    expect(splitAtCommand(words)).toEqual({ before: words.slice(0, 3), after: words.slice(3) })
  })

  test.each([
    [['--raeson', 'x'], 'There is no option --raeson here. Did you mean --reason?'],
    [['--key=a-secret', '--kye=a-secret'], 'There is no option --kye here. Did you mean --key?'],
    [['--constructor'], 'There is no option --constructor here. --help tells which there are.'],
    [['--reason'], '--reason needs TEXT after it.'],
    [['--yes=no'], '--yes takes no value.'],
    [['--yes', '--yes'], '--yes is given twice.'],
    [['-y'], 'There is no option -y here. --help tells which there are.'],
  ])('is refused with what is wrong: %j', (words, message) => {
    expect(() => readWords(words, options)).toThrow(message)
  })
})

suite('A command', () => {
  test.each([
    ['grups', 'There is no command "grups". Did you mean "groups"?'],
    ['reprice aply', 'Did you mean "reprice apply"?'],
    ['\u001b[2Jx', 'There is no command "\\u{1b}[2Jx". os-credits help lists all.'],
    ['accept', 'Expected NUMBER. See os-credits accept --help'],
    ['hold 7 8', 'Expected nothing after NUMBER, got 8. See os-credits hold --help'],
  ])('that is typed wrongly ends with 64: %s', async (line, message) => {
    const { code, stdout, stderr } = await typed(line.split(' '))
    expect([code, stdout, stderr]).toEqual([64, '', expect.stringContaining(message)])
  })

  test.each(commands.map(({ name }) => name))('%s is explained with an example', async (name) => {
    const { code, stdout } = await typed(['help', ...name.split(' ')])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^ {2}os-credits ${name}`, 'm'))
    expect(stdout).toContain(`For example:\n\n  os-credits ${name}`)
  })

  test('has examples that can be typed', () => {
    for (const { examples, name, operands, options, isPassedOn } of commands) {
      if (isPassedOn) continue
      for (const example of examples) {
        const words = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!)
        const call = readWords(words.slice(name.split(' ').length), { ...commonOptions, ...options })
        expect(example.startsWith(name), example).toBe(true)
        const needed = operands.filter((operand) => !operand.startsWith('['))
        expect(call.operands.length, example).toBeGreaterThanOrEqual(needed.length)
      }
    }
  })

  test('that decides needs a reason, and asks', () => {
    const deciding = commands.filter(({ options }) => options.yes !== undefined)
    expect(deciding.map(({ name }) => name)).toEqual([
      'accept',
      'dismiss',
      'adjust',
      'reprice apply',
      'reprice undo',
      'mute',
      'unmute',
    ])
    // A re-pricing has the reason of its preview.
    const withReason = deciding.filter(({ options }) => options.reason?.isRequired)
    expect(withReason.map(({ name }) => name)).toEqual([
      'accept',
      'dismiss',
      'adjust',
      'reprice undo',
      'mute',
      'unmute',
    ])
  })
})

suite('The program', () => {
  test('lists all commands when nothing is typed', async () => {
    const [nothing, help, option] = await Promise.all([typed([]), typed(['help']), typed(['--help'])])
    for (const { name } of commands) expect(nothing.stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'))
    expect([nothing, option]).toEqual([help, help])
  })

  test('tells its version', async () => {
    expect((await typed(['--version'])).stdout).toBe(`${packageJson.version}\n`)
  })

  test('is what package.json names, may be run, and needs nothing but Node in the path', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> }
    expect(program.endsWith(`/${bin['os-credits']}`)).toBe(true)
    expect(statSync(program).mode & 0o111).toBe(0o111)
    const { status, stdout } = spawnSync(program, ['--version'], {
      env: { PATH: `${process.execPath.replace(/\/node$/, '')}:/usr/bin:/bin` },
      encoding: 'utf8',
    })
    expect([status, stdout]).toEqual([0, `${packageJson.version}\n`])
  })

  test('that is read by a pager which ends early ends quietly', () => {
    const line = `"${process.execPath}" "${program}" help | head -n 1`
    const { stdout, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' })
    expect([stdout.split('\n').length, stderr]).toEqual([2, ''])
  })
})

test('The commands of docs/CLI.md are those of the program', () => {
  const documented = tableRows(section(read('docs/CLI.md'), 'Command line')).map(([command]) => command)
  const declared = commands.map(({ name, operands }) => `\`${[name, ...operands].join(' ')}\``)
  expect(documented).toEqual(declared)
})
