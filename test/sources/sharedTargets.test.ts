/** Replicas that share targets: whatever they live through, each target is scraped by one of them, and all have about as many. */
import { once } from 'node:events'
import fc from 'fast-check'
import { expect, onTestFinished, suite, test } from 'vitest'
import { createSharedTargets, LOOK, PATIENCE, type SharedTargets, WANTED } from '#src/sources/sharedTargets.ts'
import type { Turn } from '#src/sources/turns.ts'
import { memoryLog } from '../helpers/log.ts'
import { createCluster, type TestReplica } from '../helpers/replicas.ts'

const urls = (count: number) => Array.from({ length: count }, (_, index) => `http://u:hunter2@t/${index}?token=s3cret`)

/** Gives everything that waits for a promise its turn. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

interface Worker {
  readonly shared: SharedTargets
  readonly replica: TestReplica
  /** Milliseconds between its looks. */
  readonly pauses: readonly number[]
  readonly turns: ReadonlyMap<string, Turn>
  /** A target comes, or goes. */
  want(url: string): void
  drop(url: string): void
  scraped(): string[]
  look(): Promise<void>
  /** Stops scraping; it is one of the replicas until it leaves. */
  stop(): Promise<void>
  die(): void
}

/** Workers that scrape whatever is their turn; each look is asked for. */
function createWorkers() {
  const cluster = createCluster()
  const { logger, lines } = memoryLog('scrape')
  const workers: Worker[] = []

  function start(targets: readonly string[], replica: TestReplica = cluster.join()): Worker {
    const pauses: number[] = []
    let goOn = () => {}
    const stops = new Map<string, AbortController>()
    const shared = createSharedTargets({
      replicas: replica,
      urls: () => [...targets, ...stops.keys()],
      logger,
      wait: (ms, signal) => {
        pauses.push(ms)
        return Promise.race([new Promise<void>((resolve) => (goOn = resolve)), once(signal, 'abort').then(() => {})])
      },
    })
    const turns = new Map<string, Turn>()
    /** A loop of a target, which gives its turn up when it is told to or has lost it. */
    async function scrape(url: string, { signal }: AbortController) {
      for (;;) {
        const turn = await shared.next(url, signal)
        if (turn === undefined) return
        turns.set(url, turn)
        const over = AbortSignal.any([signal, turn.lost, turn.ending])
        if (!over.aborted) await once(over, 'abort')
        turns.delete(url)
        await turn.release()
      }
    }
    const want = (url: string) => {
      const stop = new AbortController()
      stops.set(url, stop)
      void scrape(url, stop)
    }
    for (const url of targets) want(url)
    const worker: Worker = {
      shared,
      replica,
      pauses,
      turns,
      want,
      drop: (url: string) => stops.get(url)?.abort(),
      scraped: () => [...turns.keys()].sort(),
      async look() {
        goOn()
        await settled()
      },
      async stop() {
        workers.splice(workers.indexOf(worker), 1)
        for (const stop of stops.values()) stop.abort()
        await settled()
        await shared.stop()
      },
      die() {
        workers.splice(workers.indexOf(worker), 1)
        replica.die()
        for (const stop of stops.values()) stop.abort()
        void shared.stop()
      },
    }
    workers.push(worker)
    shared.start()
    return worker
  }

  onTestFinished(async () => {
    for (const worker of [...workers]) await worker.stop()
  })
  return {
    ...cluster,
    lines,
    workers,
    start,
    /** Everybody looks so many times, one after another. */
    async look(times = 1) {
      await settled()
      for (let round = 0; round < times; round += 1) for (const worker of [...workers]) await worker.look()
    },
    shares: () => workers.map(({ turns }) => turns.size),
    scraped: () => workers.flatMap(({ turns }) => [...turns.keys()]).sort(),
  }
}

suite('sharing out targets', () => {
  test('one replica takes all of them, at its first look', async () => {
    const { start, look, shares, lines } = createWorkers()
    const worker = start(urls(3))
    await look(0)
    expect(shares()).toEqual([3])
    expect(worker.shared.scraperOf(urls(1)[0]!)).toEqual({ kind: 'here' })
    expect([...worker.shared.claims().values()]).toEqual(['http://t/0', 'http://t/1', 'http://t/2'])
    expect(lines.map(({ msg, targets }) => [msg, targets])).toEqual([
      ['This worker scrapes these targets from now on', ['http://t/0', 'http://t/1', 'http://t/2']],
    ])
  })

  test('no address with a login gets into the ledger or into the log', async () => {
    const { start, look, lines } = createWorkers()
    const worker = start(urls(2))
    await look()
    const all = JSON.stringify([worker.replica.claimed(), lines, [...worker.shared.claims()]])
    expect(worker.replica.claimed()).toHaveLength(2)
    expect(all).not.toMatch(/hunter2|s3cret/)
  })

  test('one that comes gets its share, and not more is passed on than that', async () => {
    const { start, look, shares, scraped } = createWorkers()
    const first = start(urls(5))
    await look()
    const before = first.scraped()
    start(urls(5))
    await look(4)
    expect(shares()).toEqual([3, 2])
    expect(scraped()).toEqual(urls(5))
    expect(before).toEqual(expect.arrayContaining(first.scraped()))
  })

  test('what is under way is waited for before a target changes hands', async () => {
    const { start, look, join } = createWorkers()
    const [url] = urls(1)
    const replica = join()
    const busy = start([], replica)
    const stop = new AbortController()
    const [turn] = await Promise.all([
      busy.shared.next(url!, stop.signal),
      busy.shared.next(urls(2)[1]!, stop.signal),
      look(2),
    ])
    const other = start(urls(2))
    await look(5)
    expect(turn!.ending.aborted).toBe(true)
    expect(turn!.lost.aborted).toBe(false)
    expect(other.scraped()).toEqual([])
    await turn!.release()
    await look(2)
    expect(other.scraped()).toEqual([url])
    stop.abort()
  })

  test('nothing moves any more once it is even', async () => {
    const { start, look, workers, lines } = createWorkers()
    for (let count = 0; count < 3; count += 1) start(urls(7))
    await look(6)
    const before = workers.map((worker) => worker.scraped())
    const said = lines.length
    await look(50)
    expect(workers.map((worker) => worker.scraped())).toEqual(before)
    expect(lines).toHaveLength(said)
  })

  test('what a replica had that died is taken with the next look, and evenly', async () => {
    const { start, look, shares, scraped, workers } = createWorkers()
    for (let count = 0; count < 3; count += 1) start(urls(9))
    await look(6)
    workers[0]!.die()
    await look(1)
    expect(scraped()).toEqual(urls(9))
    expect(shares().sort()).toEqual([4, 5])
  })

  test('what a replica had that stops is taken with the next look', async () => {
    const { start, look, scraped, workers } = createWorkers()
    for (let count = 0; count < 2; count += 1) start(urls(4))
    await look(6)
    await workers[1]!.stop()
    await look(1)
    expect(scraped()).toEqual(urls(4))
  })

  test('what a replica has that is silent stays alone until the ledger gives it to others', async () => {
    const { start, look, workers } = createWorkers()
    for (let count = 0; count < 2; count += 1) start(urls(4))
    await look(6)
    const [silent, other] = workers
    silent!.replica.fallSilent()
    await look(20)
    expect(other!.scraped()).toHaveLength(2)
    silent!.die()
    await look(1)
    expect(other!.scraped()).toEqual(urls(4))
  })

  test('what was lost ends at once, and is taken again', async () => {
    const { start, look } = createWorkers()
    const worker = start(urls(2))
    await look()
    const [turn] = worker.turns.values()
    worker.replica.loseClaims()
    expect(turn!.lost.aborted).toBe(true)
    await settled()
    expect(worker.scraped()).toEqual([])
    expect(worker.shared.scraperOf(urls(1)[0]!)).toMatchObject({ kind: 'nobody' })
    await look()
    expect(worker.scraped()).toEqual(urls(2))
  })

  test('what was lost is not ours any more, also while what was under way comes to its end', async () => {
    const { start, look, join } = createWorkers()
    const replica = join()
    const { shared } = start([], replica)
    const [turn] = await Promise.all([shared.next('http://t/', new AbortController().signal), look(2)])
    expect(shared.scraperOf('http://t/')).toEqual({ kind: 'here' })
    replica.loseClaims()
    expect(shared.scraperOf('http://t/')).toMatchObject({ kind: 'nobody' })
    await turn!.release()
  })

  test('a replica that neither has nor wants any, as it still catches up or stops, leaves no gap', async () => {
    const { start, look, scraped, join } = createWorkers()
    join('catches up')
    start(urls(4))
    await look(1)
    expect(scraped()).toEqual(urls(4))
    const short = start(urls(4))
    await look(4)
    expect(short.scraped()).toHaveLength(2)
    await short.stop()
    await look(1)
    expect(scraped()).toEqual(urls(4))
  })

  test('what somebody who has less does not know is taken after some looks', async () => {
    const { start, look, workers, lines } = createWorkers()
    const other = start(urls(4).slice(3))
    await look(1)
    const worker = start(urls(4))
    await look(PATIENCE - 1)
    expect(worker.scraped()).toHaveLength(2)
    await look(2)
    expect(worker.scraped()).toEqual(urls(3))
    expect(other.scraped()).toEqual(urls(4).slice(3))
    const said = lines.length
    await look(50)
    expect(lines).toHaveLength(said)
    for (const url of urls(3)) other.want(url)
    await look(10)
    expect(workers.map(({ turns }) => turns.size)).toEqual([2, 2])
  })

  test('what nobody else knows is given up last', async () => {
    const { start, look, shares, scraped, lines } = createWorkers()
    start(urls(4))
    await look()
    start(urls(4).slice(2))
    await look(2 * (PATIENCE + 3))
    expect(shares()).toEqual([3, 1])
    expect(scraped()).toEqual(urls(4))
    const said = lines.length
    await look(50)
    expect(lines).toHaveLength(said)
  })

  test('what only one of them knows is scraped by that one', async () => {
    const { start, look, workers } = createWorkers()
    const [a, b, c, d, e] = urls(5) as [string, string, string, string, string]
    start([a, b, c])
    start([c, d, e])
    await look(PATIENCE + 3)
    const all = workers.flatMap((worker) => worker.scraped())
    expect(all.sort()).toEqual([a, b, c, d, e])
    const before = workers.map((worker) => worker.scraped())
    await look(30)
    expect(workers.map((worker) => worker.scraped())).toEqual(before)
  })

  test('targets that come and go are shared out like the others', async () => {
    const { start, look, shares, scraped, workers } = createWorkers()
    for (let count = 0; count < 2; count += 1) start(urls(2))
    await look(6)
    for (const worker of workers) for (const url of urls(6).slice(2)) worker.want(url)
    await look(4)
    expect(shares()).toEqual([3, 3])
    expect(scraped()).toEqual(urls(6))
    for (const worker of workers) for (const url of urls(6).slice(0, 4)) worker.drop(url)
    await look(6)
    expect(scraped()).toEqual(urls(6).slice(4))
    expect(shares()).toEqual([1, 1])
  })

  test('that are written in another way are the same', async () => {
    const { start, look } = createWorkers()
    const first = start(['http://t/x'])
    await look()
    const second = start(['HTTP://T:80/x'])
    await look(4)
    expect([first.scraped(), second.scraped()]).toEqual([['http://t/x'], []])
  })

  test('is watched by one that scrapes none yet, as it still catches up', async () => {
    const { start, look, join } = createWorkers()
    start(urls(1))
    await look()
    const { logger } = memoryLog('scrape')
    const replica = join()
    const shared = createSharedTargets({ replicas: replica, urls: () => urls(1), logger })
    shared.start()
    await settled()
    expect(shared.scraperOf(urls(1)[0]!)).toEqual({ kind: 'elsewhere', id: 1, name: 'host/1' })
    expect([...shared.claims().values()]).toEqual(['http://t/0'])
    expect(replica.claimed()).toEqual([])
    await shared.stop()
  })

  test('tells who scrapes a target', async () => {
    const { start, look, workers } = createWorkers()
    for (let count = 0; count < 2; count += 1) start(urls(2))
    await look(6)
    const [one, two] = workers
    for (const url of one!.scraped()) {
      expect(one!.shared.scraperOf(url)).toEqual({ kind: 'here' })
      expect(two!.shared.scraperOf(url)).toEqual({ kind: 'elsewhere', id: 1, name: 'host/1' })
    }
    expect(one!.shared.scraperOf('http://unknown')).toEqual({ kind: 'nobody', reason: 'Nobody has claimed it yet.' })
  })
})

suite('a ledger that cannot be asked', () => {
  test('is told of once, asked less and less often, and nobody scrapes what he has not claimed', async () => {
    const { start, look, state, lines } = createWorkers()
    state.isDown = true
    const worker = start(urls(2))
    await look(6)
    expect(worker.scraped()).toEqual([])
    expect(worker.pauses.slice(0, 5)).toEqual([2 * LOOK, 4 * LOOK, 8 * LOOK, 8 * LOOK, 8 * LOOK])
    expect(worker.shared.scraperOf(urls(1)[0]!)).toEqual({
      kind: 'nobody',
      reason: 'It cannot be found out who scrapes it: The ledger cannot be reached.',
    })
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ reason: 'The ledger cannot be reached.' }])
    state.isDown = false
    await look(1)
    expect(worker.scraped()).toEqual(urls(2))
    expect(worker.pauses.at(-1)).toBe(LOOK)
    expect(worker.shared.scraperOf('http://t/9')).toEqual({ kind: 'nobody', reason: 'Nobody has claimed it yet.' })
    expect(lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toEqual([
      'It cannot be found out who scrapes which target: nothing new is scraped',
      'It is known again who scrapes which target',
    ])
  })

  test('does not end what is scraped already, as long as its claim is not lost', async () => {
    const { start, look, state } = createWorkers()
    const worker = start(urls(2))
    await look()
    state.isDown = true
    await look(5)
    expect(worker.scraped()).toEqual(urls(2))
    expect(worker.shared.scraperOf(urls(1)[0]!)).toEqual({ kind: 'here' })
  })

  test('keeps nobody from stopping', async () => {
    const { start, look, state } = createWorkers()
    const worker = start(urls(2))
    await look()
    state.isDown = true
    await worker.stop()
    expect(worker.scraped()).toEqual([])
  })
})

suite('a replica', () => {
  test('that was taken for dead takes nothing', async () => {
    const { start, look, join } = createWorkers()
    const replica = join()
    replica.fallSilent()
    const worker = start(urls(2), replica)
    await look(PATIENCE + 2)
    expect(worker.scraped()).toEqual([])
  })

  test('that was told to stop waits for nothing', async () => {
    const { start } = createWorkers()
    const { shared } = start([])
    expect(await shared.next('http://t/', AbortSignal.abort())).toBeUndefined()
  })

  test('that stops leaves no claim behind', async () => {
    const { start, look, join } = createWorkers()
    start(urls(2))
    await look()
    const replica = join()
    const short = start([...urls(2), 'http://t/9'], replica)
    await settled()
    expect(replica.claimed()).toHaveLength(1)
    const other = join()
    const wanting = start(urls(2), other)
    await settled()
    expect(other.claimed()).toEqual([WANTED])
    await Promise.all([short.stop(), wanting.stop()])
    expect([...replica.claimed(), ...other.claimed()]).toEqual([])
  })

  test('lets go of what it has got when nobody waits for it any more, or when that is lost already', async () => {
    const { start, look, join } = createWorkers()
    const replica = join()
    const claim = replica.claim.bind(replica)
    const stop = new AbortController()
    let meanwhile = () => {}
    const worker = start([], {
      ...replica,
      async claim(name) {
        const got = await claim(name)
        meanwhile()
        return got
      },
    })
    const waiting = worker.shared.next('http://t/', stop.signal)
    let turn: Turn | undefined
    void waiting.then((given) => {
      turn = given
    })
    meanwhile = () => replica.loseClaims()
    await look(2)
    expect([turn, replica.claimed()]).toEqual([undefined, []])
    meanwhile = () => stop.abort()
    await look(1)
    expect([turn, replica.claimed()]).toEqual([undefined, []])
  })

  test('asks for a target again when it has lost that it did', async () => {
    const { start, look, join } = createWorkers()
    const first = start(urls(1))
    await look()
    const replica = join()
    const second = start([...urls(1), 'http://t/busy'], replica)
    await second.look()
    replica.loseClaims()
    second.want('http://t/other')
    await look(0)
    expect(first.scraped()).toEqual(urls(1))
    await look(6)
    expect(second.scraped()).toEqual(['http://t/busy', 'http://t/other'])
  })

  test('that has less than its share and finds nothing free says so until it has it', async () => {
    const { start, look, join } = createWorkers()
    const first = start(urls(2))
    await look()
    const stop = new AbortController()
    const replica = join()
    const second = start(urls(2), replica)
    await second.look()
    expect(replica.claimed()).toEqual([WANTED])
    await first.look()
    await second.look()
    await second.look()
    expect(replica.claimed()).not.toContain(WANTED)
    stop.abort()
  })
})

type Event =
  | { readonly kind: 'join' }
  | { readonly kind: 'stop' | 'die' | 'lose' | 'look'; readonly which: number }
  | { readonly kind: 'ledger'; readonly isDown: boolean }

const events = fc.array(
  fc.oneof<fc.Arbitrary<Event>[]>(
    fc.record({ kind: fc.constant('join' as const) }),
    fc.record({ kind: fc.constantFrom('stop' as const, 'die' as const, 'lose' as const), which: fc.nat({ max: 4 }) }),
    fc.record({ kind: fc.constant('look' as const), which: fc.nat({ max: 4 }) }),
    fc.record({ kind: fc.constant('ledger' as const), isDown: fc.boolean() }),
  ),
  { maxLength: 25 },
)

/** Looks that the most uneven start needs to become even: each asks, is given and takes. */
const ENOUGH = 20

test('whatever happens, no target is scraped twice, and in the end each is by one, all having about as many', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 9 }), events, async (count, story) => {
      const { start, look, state, workers, scraped, shares } = createWorkers()
      start(urls(count))
      for (const event of story) {
        const worker = 'which' in event ? workers[event.which % Math.max(1, workers.length)] : undefined
        if (event.kind === 'join') start(urls(count))
        else if (event.kind === 'ledger') state.isDown = event.isDown
        else if (event.kind === 'look') await worker?.look()
        else if (event.kind === 'stop') await worker?.stop()
        else if (event.kind === 'die') worker?.die()
        else worker?.replica.loseClaims()
        await settled()
        expect(scraped()).toEqual([...new Set(scraped())])
      }
      state.isDown = false
      if (workers.length === 0) start(urls(count))
      const isEven = () => Math.max(...shares()) - Math.min(...shares()) <= 1 && scraped().length === count
      for (let looks = 0; looks < ENOUGH && !isEven(); looks += 1) await look()
      await look(3)
      expect(scraped()).toEqual(urls(count))
      expect(Math.max(...shares()) - Math.min(...shares())).toBeLessThanOrEqual(1)
      for (const worker of [...workers]) await worker.stop()
    }),
    { numRuns: 150 },
  )
})
