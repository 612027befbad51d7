/**
 * The parameters of one call, read the way Perun's deserializers read them.
 *
 * They come from the JSON object in the body of a POST or from the query of a GET, never from both.
 */
import { rpcException } from './exceptions.ts'

/** An attribute as a client sends it: what identifies its definition, and the value. */
export interface SentAttribute {
  readonly id: number
  readonly namespace: string
  readonly friendlyName: string
  readonly type: string
  readonly value: unknown
}

/** Fields of an attribute bean. Those of the second line are ignored on arrival; any other is an error. */
const attributeFields = new Set(
  `id friendlyName namespace type value description displayName writable unique createdAt createdBy modifiedAt modifiedBy
  name beanName entity baseFriendlyName friendlyNameParameter
  createdByUid modifiedByUid valueCreatedAt valueCreatedBy valueModifiedAt valueModifiedBy`.split(/\s+/),
)

const LARGEST_INTEGER = 2 ** 31 - 1

export class Parameters {
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values
  }

  /** @throws {PerunException} if the body is not a JSON object, which an empty one is not either. */
  static fromBody(text: string): Parameters {
    let values: unknown
    try {
      values = JSON.parse(text)
    } catch {
      throw rpcException('WRONGLY_FORMATTED_CONTENT', 'not correct JSON data')
    }
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw rpcException('WRONGLY_FORMATTED_CONTENT', 'not a JSON Object')
    }
    return new Parameters(values as Record<string, unknown>)
  }

  /** A list is a repeated name, with or without `[]`. */
  static fromQuery(query: URLSearchParams): Parameters {
    const names = [...new Set(query.keys())]
    return new Parameters(
      Object.fromEntries(
        names.map((name) => {
          const all = query.getAll(name)
          return name.endsWith('[]') ? [name.slice(0, -2), all] : [name, all.length > 1 ? all : all[0]]
        }),
      ),
    )
  }

  /** Whether the key is there, which is how Perun chooses among overloads: a null is there too. */
  has(name: string): boolean {
    return Object.hasOwn(this.#values, name)
  }

  /** A 32-bit number, or a text that is one. */
  int(name: string): number {
    return asInt(this.#get(name))
  }

  text(name: string): string {
    const value = this.#get(name)
    if (value === null || typeof value === 'object') throw cannotDeserialize(value, 'String')
    return String(value)
  }

  flag(name: string): boolean {
    const value = this.#get(name)
    if (typeof value !== 'boolean' && value !== 'true' && value !== 'false') throw cannotDeserialize(value, 'boolean')
    return value === true || value === 'true'
  }

  texts(name: string): string[] {
    const value = this.#get(name)
    return (typeof value === 'string' ? [value] : asList(value, 'String')).map(String)
  }

  ints(name: string): number[] {
    return asList(this.#get(name), 'int').map(asInt)
  }

  attribute(name: string): SentAttribute {
    return asAttribute(this.#get(name))
  }

  attributes(name: string): SentAttribute[] {
    return asList(this.#get(name), 'Attribute').map(asAttribute)
  }

  #get(name: string): unknown {
    if (!this.has(name)) throw rpcException('MISSING_VALUE', name)
    return this.#values[name]
  }
}

function asInt(value: unknown): number {
  const number = typeof value === 'string' && /^[+-]?\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || Math.abs(number) > LARGEST_INTEGER) {
    throw cannotDeserialize(value, 'int')
  }
  return number
}

function asList(value: unknown, type: string): readonly unknown[] {
  if (!Array.isArray(value)) throw cannotDeserialize(value, `List<${type}> - not an array`)
  return value
}

function asAttribute(value: unknown): SentAttribute {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw cannotDeserialize(value, 'Attribute')
  const unknown = Object.keys(value).find((field) => !attributeFields.has(field))
  if (unknown !== undefined) throw cannotDeserialize(value, `Attribute: unrecognized field "${unknown}"`)
  const {
    id = 0,
    namespace = '',
    friendlyName = '',
    type = '',
    value: content = null,
  } = value as Partial<SentAttribute>
  return { id: asInt(id), namespace, friendlyName, type, value: content }
}

function cannotDeserialize(value: unknown, type: string) {
  return rpcException('CANNOT_DESERIALIZE_VALUE', `${JSON.stringify(value)} as ${type}`)
}
