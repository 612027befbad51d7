/** The Perun simulator as a process of its own, so that its work is not counted as ours. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export const names = {
  used: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
  granted: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
  timestamps: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
}

export const SITE = 8676

/** Starts it with these groups, each with a grant and assigned to the site. */
export async function spawnPerun(groups: readonly string[]) {
  const child = spawn(process.execPath, ['src/demo/main.ts', 'perun'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const url = line.replace('Listening on ', '')
  const home = new URL('/', url).href
  const post = (path: string, body: unknown) =>
    fetch(`${home}-/${path}`, { method: 'POST', body: JSON.stringify(body) })
  await post(
    'groups',
    groups.map((name) => ({ name, granted: '1000000000', resources: [SITE] })),
  )
  return {
    pid: child.pid!,
    url,
    login: 'credits',
    password: 'secret',
    voId: 412,
    setLatency: async (ms: number) => void (await post('faults', { latency: ms })),
    /** Until it is called with false, each call gets a page with status 503. */
    setDown: async (isDown: boolean) =>
      void (await post('faults', isDown ? { fail: { how: 'html-503', times: null } } : { clear: true })),
    resetCalls: async () => void (await post('calls/reset', {})),
    async calls(): Promise<Record<string, number>> {
      const answer = await fetch(`${home}-/calls`)
      return ((await answer.json()) as { byMethod: Record<string, number> }).byMethod
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await once(child, 'exit')
    },
  }
}
