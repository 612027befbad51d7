/** A made-up site of any size, as its exporter would tell it. */

export interface Site {
  readonly projects: number
  /** Hours that each project's machines have run. */
  readonly hours: number
  /** The number of its first project; 0 if not given. */
  readonly first?: number
  /** Names a project by its number; `id-7` if not given. */
  readonly projectId?: (index: number) => string
}

/** Two metrics for each project; the digits are those of doubles, as in the real exporter. */
export function expositionOf({ projects, hours, first = 0, projectId = (index) => `id-${index}` }: Site): string {
  const sample = (metric: string, index: number, value: number) =>
    `${metric}{domain_id="default",domain_name="default",project_id="${projectId(index)}",project_name="${projectName(index)}"} ${value}`
  const lines = ['# HELP project_vcpu_usage Total vcpu usage', '# TYPE project_vcpu_usage gauge']
  for (let index = first; index < first + projects; index += 1)
    lines.push(sample('project_vcpu_usage', index, hours * (1 + (index % 64))))
  lines.push('# HELP project_mb_usage Total MB usage', '# TYPE project_mb_usage gauge')
  for (let index = first; index < first + projects; index += 1)
    lines.push(sample('project_mb_usage', index, hours * 4 * (1 + (index % 64))))
  return `${lines.join('\n')}\n`
}

export function projectName(index: number): string {
  return `project-${String(index).padStart(6, '0')}`
}
