import { expect, suite, test } from 'vitest'
import { ledgerLocation } from '#src/config/ledgerLocation.ts'
import * as parsers from '#src/config/parsers.ts'
import { decimal } from '#src/core/decimals.ts'
import { createRedaction } from '#src/telemetry/redaction.ts'

/** What a parser makes of each text: a value, or `refused`. */
function results<T>(parse: parsers.Parser<T>, texts: readonly string[]) {
  return texts.map((text) => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof parsers.Unexpected)) throw error
      return 'refused'
    }
  })
}

function expectRefused<T>(parse: parsers.Parser<T>, texts: readonly string[]) {
  expect(results(parse, texts)).toEqual(texts.map(() => 'refused'))
}

suite('A duration', () => {
  const duration = parsers.duration({ min: 1 })

  test.each([
    ['500ms', 500],
    ['1s', 1_000],
    ['60s', 60_000],
    ['1m', 60_000],
    ['1.5m', 90_000],
    ['0.1s', 100],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['2147483647ms', 2_147_483_647],
  ])('%s is %d ms', (text, ms) => {
    expect(duration(text)).toBe(ms)
  })

  test('has a unit, is a whole number of ms and not longer than a timer can wait', () => {
    expectRefused(duration, [
      '',
      '60',
      '60 s',
      's',
      '-1s',
      '+1s',
      '0s',
      '0.5ms',
      '1m30s',
      '60S',
      '1e3s',
      '25d',
      '2147483648ms',
      'NaNs',
    ])
  })

  test('is nothing only where nothing is allowed', () => {
    expect(parsers.duration({ min: 0 })('0s')).toBe(0)
  })
})

suite('A whole number', () => {
  test('lies within its bounds and is written in digits', () => {
    const parse = parsers.wholeNumber({ min: 1, max: 1_000 })
    expect(results(parse, ['1', '10', '1000'])).toEqual([1, 10, 1_000])
    expectRefused(parse, ['', '0', '1001', '-1', '+1', '1.0', '1e2', '0x10', ' 1', '1 ', '٣', '9'.repeat(400)])
  })

  test('that is a port may be 0', () => {
    expect(results(parsers.port, ['0', '8000', '65535', '65536'])).toEqual([0, 8_000, 65_535, 'refused'])
  })
})

suite('An address', () => {
  test('is one of the web', () => {
    expect(results(parsers.address, ['http://exporter:8080', 'https://[::1]/federate?match[]=x'])).toEqual([
      'http://exporter:8080/',
      'https://[::1]/federate?match[]=x',
    ])
    expectRefused(parsers.address, [
      '',
      'exporter',
      'exporter:8080',
      '10.0.0.5:8080/metrics',
      'ftp://x/',
      '//x/',
      'http://',
      'http://x:99999',
    ])
  })

  test('of Perun ends with /rpc/json and has no login', () => {
    const url = 'https://perun.example.org/krb/rpc/json'
    expect(results(parsers.perunAddress, [url, `${url}/`, 'http://localhost:8080/rpc/json'])).toEqual([
      url,
      url,
      'http://localhost:8080/rpc/json',
    ])
    expectRefused(parsers.perunAddress, [
      'https://perun.example.org/krb/rpc',
      'https://perun.example.org/krb/rpc/json?x=1',
      'https://perun.example.org/krb/rpc/json#x',
      'https://me:secret@perun.example.org/krb/rpc/json',
      'perun.example.org/krb/rpc/json',
      'ftp://perun.example.org/rpc/json',
    ])
  })

  // A login may hold anything, also what ends an address or an entry: such a text is not shown in parts.
  test.each([
    'http//ann:secret@host',
    'http://ann:sec;ret@host',
    'http://ann:sec/ret@host',
    'http://ok/;ftp://ann:secret@x',
  ])('that cannot be read does not give away the login in it: %s', (text) => {
    const parse = parsers.semicolons(parsers.address)
    expect(() => parse(text)).toThrow(parsers.Unexpected)
    try {
      parse(text)
    } catch (error) {
      const { message, got } = error as parsers.Unexpected
      expect(`${message} ${got}`).not.toMatch(/ann|sec|ret@/)
      expect(got).toBeDefined()
    }
  })
})

suite('A list', () => {
  test('has entries between semicolons; blanks around them and empty ones do not count', () => {
    expect(parsers.semicolons(parsers.text)(' a b ;;c;')).toEqual(['a b', 'c'])
  })

  test('has at least one entry', () => {
    expectRefused(parsers.semicolons(parsers.text), [';', ' ; '])
  })

  test('names the entry that is wrong', () => {
    const parse = parsers.semicolons(parsers.digits)
    expect(() => parse('1;two;3')).toThrow(expect.objectContaining({ got: '"two"' }))
  })

  test('of percentages rises', () => {
    expect(results(parsers.percentages, ['50,80,100', '100', ' 5 , 120 '])).toEqual([[50, 80, 100], [100], [5, 120]])
    expectRefused(parsers.percentages, ['', '50,', '80,50', '50,50', '0,50', '50;80', '50%', '12.5', '1001', '-1'])
  })
})

suite('A switch', () => {
  test('is on by being there, unless it is a clear no', () => {
    expect(results(parsers.presence, ['1', 'true', 'yes', 'anything', '0', 'false', 'False', 'no', 'off'])).toEqual([
      ...Array(4).fill(true),
      ...Array(5).fill(false),
    ])
  })
})

suite('A level of the log', () => {
  test('is known by its name in any case, also by that of the old service', () => {
    expect(results(parsers.logLevel, ['info', 'INFO', 'Warning', 'DEBUG', 'CRITICAL', 'silent', 'NOTSET'])).toEqual([
      'info',
      'info',
      'warn',
      'debug',
      'fatal',
      'silent',
      'trace',
    ])
    expectRefused(parsers.logLevel, ['', 'loud', '20', 'constructor', '__proto__'])
  })
})

suite('A name', () => {
  test('of an attribute is a full one of the right entity', () => {
    const parse = parsers.attributeName('group')
    const name = 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent'
    expect(parse(name)).toBe(name)
    expectRefused(parse, [
      '',
      'denbiCreditsCurrent',
      '3382',
      `${name} `,
      name.replace('group', 'group_resource'),
      name.replace('opt', 'no'),
    ])
  })

  test('of a host has no blanks, no port and no path', () => {
    expect(results(parsers.host, ['0.0.0.0', '::', 'localhost', 'my-host.example.org'])).not.toContain('refused')
    expectRefused(parsers.host, ['', 'my host', 'http://host', 'host/x'])
  })

  test('that is a key can stand in a header', () => {
    expect(parsers.key('aB3!~')).toBe('aB3!~')
    expectRefused(parsers.key, ['', 'two words', 'schlüssel', 'line\nbreak', '\tx'])
  })
})

suite('An amount', () => {
  test('keeps its digits as they are written', () => {
    expect(parsers.amount('0.123456789012')).toEqual(decimal('0.123456789012'))
    expect(parsers.amount('999999999999999')).toEqual({ digits: 999_999_999_999_999n, scale: 0 })
    expect(parsers.amount('3e-1')).toEqual(decimal('0.3'))
  })

  test('is not negative and not absurd', () => {
    expectRefused(parsers.amount, [
      '',
      '-1',
      '-0.1',
      '1,5',
      'NaN',
      'Infinity',
      '0x1',
      '1e15',
      '1e300',
      '0.1234567890123',
      'one',
    ])
    expectRefused(parsers.positiveAmount, ['0', '0.00', '-1'])
  })
})

suite('A date', () => {
  test('is one of the calendar, in UTC unless a zone is written', () => {
    const [midnight, zoned] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 11)]
    expect(results(parsers.instant, ['2026-01-01', '2026-01-01T12:00:00+01:00'])).toEqual([midnight, zoned])
    expectRefused(parsers.instant, ['', '2026-02-30', '1.1.2026', 'now', '2026'])
  })
})

suite('What is expected', () => {
  test('is never hidden by the redaction of the log', () => {
    const expected = [parsers.mailAddress, parsers.address, ledgerLocation].map((parse) => {
      try {
        return String(parse('?'))
      } catch (error) {
        return JSON.stringify({ message: (error as Error).message })
      }
    })
    const { clean } = createRedaction()
    expect(expected.map(clean)).toEqual(expected)
  })
})
