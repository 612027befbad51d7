/** What most answers have in them. */
import { decimal, fields, instant, named, nullable, type Schema, text, whole } from '../schema.ts'

export const groupName = text('The name of a group, which is that of its OpenStack project', 'BioVis')

/** A parameter of the query. */
export const ofGroup = text('Only those of this group', 'BioVis')

/** A parameter of the path. */
export const groupParameter = {
  name: text(
    'The name of a group; of one that is called . or .. with a slash behind it, so that it stays: ..%2F',
    'BioVis',
  ),
}

export const site = text('The site: the number of its resource in Perun', '8676')
export const projectId = text('The OpenStack id of the project', '2f8e1c0a9d4b4f6ea1c35d7b90e2f481')
export const metric = text("The exporter's name for what is charged", 'project_vcpu_usage')
/** Prices may have changed since: what is charged today may lack a meter of long ago. */
export const meter = nullable(text('What is charged for; null if it is no longer', 'cpu'))
export const unit = nullable(text('The unit of quantities; null if the meter is no longer charged', 'vCPU·h'))

export const page = (path: string): Schema => nullable(text('The address of the next page; null on the last one', path))

export const point = named(
  'Point',
  fields(
    { at: instant('When it was read'), value: decimal('The total that the exporter showed', '1002.5') },
    {},
    { description: 'A reading of a series' },
  ),
)

export const problem = named(
  'Problem',
  fields(
    {
      type: text('Names the kind of problem for programs', 'urn:credits-worker:problem:bad-request'),
      title: text('The kind of problem', 'Bad Request'),
      status: whole('The status of the answer', 400, { minimum: 400, maximum: 599 }),
      detail: text('What is wrong, for people', 'limit: expected a whole number from 1 to 1000, got "0".'),
      instance: text('The path that was asked for', '/api/groups'),
      task: text('Under which the log tells of the request', 'http-5f0c93d2-1k'),
    },
    {},
    { description: 'What went wrong (RFC 9457)' },
  ),
)

export const reason = text('Why: it stays in the ledger', 'A node was down for a day', {
  minLength: 1,
  maxLength: 1_000,
})
export const actor = text('Who decides; operator if not given', 'erika', { minLength: 1, maxLength: 1_000 })

/** Who decides something, and why. */
export const asking = fields({ reason }, { actor })
