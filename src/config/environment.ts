/**
 * Reads the texts of the settings from the environment, from files beside it for secrets, or takes what holds by
 * default.
 *
 * Nothing here reads the environment or a file by itself; the caller gives both. The value of a secret is in no
 * problem.
 */
import { type Declaration, entries, type Name, type Values } from './declarations.ts'
import { quote, Unexpected } from './parsers.ts'
import type { Report } from './place.ts'

/** What a setting is and where it comes from; `shown` is nothing that must be hidden. */
export interface Effective {
  readonly name: Name
  readonly shown: string
  readonly origin: 'environment' | 'file' | 'default' | 'not set'
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Gives the content of a file, or throws as `readFileSync` does. */
export type Files = (path: string) => string

/** What the environment says, as far as it could be read. */
export interface Given {
  readonly values: Partial<Values>
  readonly effective: readonly Effective[]
  /** Whether there is a text for it, readable or not. */
  readonly isSet: (name: Name) => boolean
}

/** Reads every setting; what cannot be read is reported and left out of `values`. */
export function readValues(env: Environment, files: Files, report: Report): Given {
  const values: Partial<Record<Name, unknown>> = {}
  const effective: Effective[] = []
  for (const [name, declaration] of entries) {
    const found = findText(name, declaration, env, files, report)
    effective.push(found === undefined ? { name, shown: '', origin: 'not set' } : { name, ...show(found, declaration) })
    if (found?.text !== undefined) values[name] = parse(name, found.text, declaration, report)
  }
  const set = new Set(effective.filter(({ origin }) => origin !== 'not set').map(({ name }) => name))
  return { values: values as Partial<Values>, effective, isSet: (name) => set.has(name) }
}

/** `text` is missing if it could not be read, which is reported. */
type Found = { readonly text?: string | undefined; readonly origin: 'environment' | 'file' | 'default' }

function findText(
  name: Name,
  { secret, mayBeInFile, fallback }: Declaration,
  env: Environment,
  files: Files,
  report: Report,
): Found | undefined {
  const text = given(env, name)
  const fileName = `${name}_FILE`
  const path = secret || mayBeInFile ? given(env, fileName)?.trim() : undefined
  if (text !== undefined && path !== undefined) report(`${name}: expected no value, as ${fileName} is set, got both`)
  if (path !== undefined) return { origin: 'file', text: readSecret(fileName, path, files, report) }
  if (text !== undefined) return { origin: 'environment', text: secret ? text : text.trim() }
  return fallback === undefined ? undefined : { origin: 'default', text: fallback }
}

/** A variable that is set to nothing counts as not set: that is how compose files pass on what they do not have. */
export function given(env: Environment, name: string): string | undefined {
  const text = env[name]
  return text === undefined || text.trim() === '' ? undefined : text
}

/** Not even the path is shown: it may be the secret itself, put into the wrong variable. */
function readSecret(name: string, path: string, files: Files, report: Report): string | undefined {
  const content = readFile(path, files, (reason) => {
    report(`${name}: expected a file that can be read, got a path that is not shown (${reason})`)
  })
  const secret = content?.replace(/[\r\n]+$/, '')
  if (secret === '') report(`${name}: expected a file with a value, got an empty file`)
  return secret === '' ? undefined : secret
}

function readFile(path: string, files: Files, failed: (reason: string) => void): string | undefined {
  try {
    return files(path)
  } catch (error) {
    failed(error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read')
    return undefined
  }
}

function parse(name: Name, text: string, { parse: read, secret }: Declaration, report: Report): unknown {
  try {
    return read(text)
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error
    const got = secret ? 'a value that is not shown' : (error.got ?? quote(text))
    report(`${name}: expected ${error.message}, got ${got}`)
    return undefined
  }
}

function show({ text = '', origin }: Found, { secret, show: form }: Declaration): Omit<Effective, 'name'> {
  return { origin, shown: secret ? 'not shown' : form === undefined ? text : form(text) }
}

/** What a file that a setting names holds; its problems are told with the name of the setting. */
export function readNamed<T>(
  name: Name,
  path: string,
  files: Files,
  read: (content: string, report: Report) => T,
  report: Report,
): T | undefined {
  const content = readFile(path, files, (reason) => {
    report(`${name}: expected a file that can be read, got ${quote(path)} (${reason})`)
  })
  return content === undefined ? undefined : read(content, (problem) => report(`${name}: ${problem}`))
}
