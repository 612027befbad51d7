/** What people do in Perun and elsewhere while the worker works. */
import type { Cloud } from './cloud.ts'
import type { SimulatedPerun } from './perun.ts'
import type { Random } from './random.ts'
import type { Story } from './story.ts'

/** Some are used up now and then. */
const grants = ['100000', '1500', '300', '60.5', '5']

export class People {
  readonly #perun: SimulatedPerun
  readonly #cloud: Cloud
  readonly #random: Random
  readonly #story: Story
  #count = 0

  constructor(parts: { perun: SimulatedPerun; cloud: Cloud; random: Random; story: Story }) {
    this.#perun = parts.perun
    this.#cloud = parts.cloud
    this.#random = parts.random
    this.#story = parts.story
  }

  /** Groups as they are at the start: most are there, some were served by another service before. */
  begin(): void {
    const { world } = this.#perun
    for (const site of this.#cloud.siteNames) world.addResource(Number(site))
    for (const name of this.#cloud.projectNames) if (this.#random.chance(0.85)) this.#found(name)
    this.#noteAway()
  }

  #noteAway(): void {
    this.#perun.noteAway(this.#cloud.projectNames, this.#cloud.siteNames)
  }

  #found(name: string): void {
    const { world } = this.#perun
    const resources = this.#cloud.siteNames.filter(() => this.#random.chance(0.85)).map(Number)
    const granted = this.#random.chance(0.9) ? this.#random.pick(grants) : null
    world.addGroup({ name, resources, granted })
    if (this.#random.chance(0.2)) {
      // Another service has charged it until an hour ago.
      const until = { project_vcpu_usage: '2026-01-31 23:00:00.000000', project_mb_usage: '2026-01-31 23:00:00.000000' }
      world.edit(
        name,
        { used: '1234.5', timestamps: Object.fromEntries(resources.map((id) => [id, until])) },
        'old service',
      )
    }
    this.#perun.note(name, 'setup')
    this.#story.tell(`perun: ${name} is there, granted ${granted}, at ${resources.join(' ')}`)
  }

  /** Somebody edits used credits. */
  edit(): void {
    const name = this.#perun.isReadOnly ? undefined : this.#someGroup()
    if (name === undefined) return
    const used = Number(this.#perun.valueOf(name) ?? '0')
    this.#count += 1
    // A number that the worker is not about to write by chance.
    const near = Number.isFinite(used) ? Math.floor(used) + this.#random.whole(-50, 200) : 7
    const number = `${near}.${String(1_000 + this.#count).slice(1)}731`
    const value = this.#random.pick([number, number, number, number, null, 'ask Peter'])
    this.#set(name, value)
  }

  #set(name: string, used: string | null): void {
    this.#story.fault('edit of used credits', `${name} ${this.#perun.valueOf(name)} → ${used}`)
    this.#perun.world.edit(name, { used }, 'petra')
    this.#perun.note(name, 'petra')
  }

  /** Groups come and go, are assigned and granted, rights are taken away and given back. */
  change(later: (ms: number, action: () => void) => void): void {
    this.#change(later)
    this.#noteAway()
  }

  #change(later: (ms: number, action: () => void) => void): void {
    const { world } = this.#perun
    const name = this.#random.pick(this.#cloud.projectNames)
    const site = Number(this.#random.pick(this.#cloud.siteNames))
    const what = this.#random.pick([
      'group vanishes',
      'assignment',
      'assignment',
      'grant',
      'grant',
      'read-only',
      'rights',
    ] as const)
    if (this.#perun.isReadOnly) return
    if (what === 'read-only') {
      this.#perun.readOnly(true)
      later(this.#random.whole(30, 900) * 1_000, () => this.#perun.readOnly(false))
      return
    }
    if (what === 'rights') {
      const role = this.#random.pick(['used', 'timestamps'] as const)
      this.#story.fault('rights withdrawn', role)
      this.#perun.setRights(role, { writable: false })
      later(this.#random.whole(30, 1_800) * 1_000, () => this.#perun.setRights(role, { writable: true }))
      return
    }
    if (!this.#perun.exists(name)) {
      this.#story.fault('group appears', name)
      this.#found(name)
      return
    }
    if (what === 'group vanishes') {
      this.#story.fault('group vanishes', name)
      world.removeGroup(name)
      this.#perun.note(name, 'admin')
      return
    }
    const { resources, granted } = world.read(name)
    if (what === 'assignment') {
      this.#story.fault('assignment changes', `${name} at ${site}`)
      if (resources.includes(site)) world.unassign(name, site)
      else world.assign(name, site)
    } else {
      this.#story.fault('grant changes', name)
      world.edit(
        name,
        { granted: granted === null || this.#random.chance(0.5) ? this.#random.pick(grants) : null },
        'admin',
      )
    }
  }

  /** When all is to be well again, somebody mends most of what can be mended. */
  mend(): void {
    const { world } = this.#perun
    for (const name of this.#cloud.projectNames) {
      if (!this.#perun.exists(name)) {
        if (this.#random.chance(0.5)) this.#found(name)
        continue
      }
      const { used, granted } = world.read(name)
      const changes = this.#perun.changes.get(name) ?? []
      const isBroken = used === 'ask Peter' || (used === null && changes.length > 0)
      if (isBroken && this.#random.chance(0.7)) this.#set(name, '42.000731')
      if (granted === null && this.#random.chance(0.7)) world.edit(name, { granted: '100000' }, 'admin')
    }
  }

  #someGroup(): string | undefined {
    const there = this.#cloud.projectNames.filter((name) => this.#perun.exists(name))
    return there.length === 0 ? undefined : this.#random.pick(there)
  }
}
