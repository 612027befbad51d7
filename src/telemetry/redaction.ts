/**
 * Keeps secrets and mail addresses out of the log, wherever in a line they stand: in a message, a field, a key, a
 * stack.
 *
 * It works on the finished line, so no caller has to remember it. It knows the secrets it was given, as they are
 * written and as they stand in a URL; a secret that is encoded in another way has to be given in that form too.
 */

export interface Redaction {
  /** From now on these texts are written as `[redacted]`. Empty ones are ignored. */
  add(secrets: Iterable<string>): void
  /** A JSON line without anything that must not be in it; a line that has nothing to hide comes back as it is. */
  clean(line: string): string
}

/** Bounded in every part, so that a long line without an `@` costs no more than its length. */
const mail = /[\p{L}\p{N}._%+'-]{1,64}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,63}/gu

/** The fields the logger itself writes: the same words may be somebody's password, yet a line needs them. */
const OWN_FIELDS = new Set(['level', 'time', 'logger'])

export function createRedaction(): Redaction {
  const hidden = new Set<string>()
  let secret: RegExp | undefined

  const cleanText = (text: string) => {
    const withoutSecrets = secret === undefined ? text : text.replace(secret, '[redacted]')
    return withoutSecrets.includes('@') ? withoutSecrets.replace(mail, '[mail]') : withoutSecrets
  }

  return {
    add(secrets) {
      for (const text of secrets) {
        if (text === '') continue
        hidden.add(text).add(encodeURIComponent(text.toWellFormed()))
      }
      secret = anyOf(hidden)
    },
    clean(line) {
      if (secret === undefined && !line.includes('@')) return line
      const fields: object = JSON.parse(line)
      const cleaned = cleanFields(fields, cleanText, OWN_FIELDS)
      // A line with nothing to hide stays as it was written: numbers in it may be longer than JavaScript's.
      return cleaned === fields ? line : `${JSON.stringify(cleaned)}\n`
    },
  }
}

type CleanText = (text: string) => string

/** The same value if there is nothing to hide in it. A number can be a secret too: `12345`. */
function cleanValue(value: unknown, cleanText: CleanText): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => cleanValue(item, cleanText))
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  if (typeof value === 'object' && value !== null) return cleanFields(value, cleanText)
  const text = String(value)
  const cleaned = cleanText(text)
  return cleaned === text ? value : cleaned
}

function cleanFields(fields: object, cleanText: CleanText, except?: ReadonlySet<string>): object {
  const before = Object.entries(fields)
  const after = before.map(([key, value]): [string, unknown] =>
    except?.has(key) ? [key, value] : [cleanText(key), cleanValue(value, cleanText)],
  )
  const isSame = after.every(([key, value], index) => key === before[index]![0] && value === before[index]![1])
  return isSame ? fields : Object.fromEntries(after)
}

/** Longer texts first: a secret may be the beginning of another. */
function anyOf(texts: ReadonlySet<string>): RegExp | undefined {
  if (texts.size === 0) return undefined
  const longestFirst = [...texts].sort((a, b) => b.length - a.length)
  return new RegExp(longestFirst.map((text) => RegExp.escape(text)).join('|'), 'g')
}
