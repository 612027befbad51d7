import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { expect, suite, test } from 'vitest'
import { loadSettings } from '#src/config/settings.ts'
import { documentedSettings, settingsInEnvironmentFile } from '../helpers/settings.ts'

const file = new URL('../../.default.env', import.meta.url).pathname

suite('.default.env', () => {
  test('has every setting in order, with what it means and what holds by default, and no other', () => {
    expect(settingsInEnvironmentFile(file)).toEqual(documentedSettings())
  })

  test('changes nothing when it is used as it is', () => {
    const needed = { USAGE_EXPORTER_URLS: 'http://exporter:8080/metrics' }
    const files = () => expect.unreachable()
    const withFile = loadSettings({ ...parseEnv(readFileSync(file, 'utf8')), ...needed }, files)
    const without = loadSettings(needed, files)
    const { effective: _, ...settings } = without.settings
    expect(withFile.settings).toMatchObject(settings)
    expect(withFile.warnings).toEqual(without.warnings)
  })
})
