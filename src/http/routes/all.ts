/** Every route there is. */
import type { Door } from '../door.ts'
import { apiDocRoute } from '../pages/apiDoc.ts'
import { assetsRoute } from '../pages/assets.ts'
import { muteOnPageRoute } from '../pages/group/mute.ts'
import { creditsHistoryPageRoute, groupPageRoute } from '../pages/group/page.ts'
import { decideOnPageRoute, driftsPageRoute, holdPageRoute, holdsPageRoute } from '../pages/holds.ts'
import { leaveRoute, loginRoute, showLoginRoute } from '../pages/login.ts'
import { overviewRoute } from '../pages/overview.ts'
import { planPageRoute } from '../pages/plan.ts'
import type { HttpParts } from '../parts.ts'
import type { Route } from '../route.ts'
import { adjustRoute } from './adjustments.ts'
import { creditsHistoryRoute } from './creditsHistory.ts'
import { openApiRoute } from './doc.ts'
import { driftsRoute } from './drifts.ts'
import { explainRoute } from './explain.ts'
import { forecastRoute } from './forecast.ts'
import { entriesRoute, groupRoute, groupsRoute } from './groups.ts'
import { livezRoute, metricsRoute, pingRoute, readyzRoute } from './health.ts'
import { historyRoute } from './history.ts'
import { decideHoldRoute, holdRoute, holdsRoute } from './holds.ts'
import { changeLogLevelsRoute, showLogLevelsRoute } from './logconfig.ts'
import { muteRoute, noticesRoute, previewRoute } from './notices.ts'
import { planRoute } from './plan.ts'
import { costsRoute, metersRoute } from './prices.ts'
import { changeRepricingRoute, previewRepricingRoute, repricingRoute, repricingsRoute } from './repricings.ts'
import { statsRoute } from './stats.ts'
import { influxRoute, remoteWriteRoute } from './write.ts'

export function allRoutes(parts: HttpParts, door: Door): Route[] {
  const routes: Route[] = [
    pingRoute(),
    livezRoute(),
    readyzRoute(parts),
    metricsRoute(parts),
    statsRoute(parts),
    showLogLevelsRoute(parts),
    changeLogLevelsRoute(parts),
    metersRoute(parts),
    costsRoute(parts),
    planRoute(parts),
    creditsHistoryRoute(parts),
    groupsRoute(parts),
    groupRoute(parts),
    entriesRoute(parts),
    explainRoute(parts),
    historyRoute(parts),
    forecastRoute(parts),
    adjustRoute(parts),
    holdsRoute(parts),
    holdRoute(parts),
    decideHoldRoute('accept', parts),
    decideHoldRoute('dismiss', parts),
    driftsRoute(parts),
    noticesRoute(parts),
    previewRoute(parts),
    muteRoute('mute', parts),
    muteRoute('unmute', parts),
    repricingsRoute(parts),
    previewRepricingRoute(parts),
    repricingRoute(parts),
    changeRepricingRoute('apply', parts),
    changeRepricingRoute('undo', parts),
    remoteWriteRoute(parts),
    influxRoute(parts),
    groupPageRoute(parts),
    creditsHistoryPageRoute(parts),
    muteOnPageRoute('mute', parts),
    muteOnPageRoute('unmute', parts),
    assetsRoute(),
    overviewRoute(parts),
    holdsPageRoute(parts),
    holdPageRoute(parts),
    decideOnPageRoute('accept', parts),
    decideOnPageRoute('dismiss', parts),
    driftsPageRoute(parts),
    planPageRoute(parts),
    showLoginRoute(door),
    loginRoute(door),
    leaveRoute(door),
    openApiRoute(parts, () => routes),
    apiDocRoute(parts, () => routes),
  ]
  return routes
}
