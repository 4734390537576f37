import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";
import { textParam } from "../../search-params";

export interface SessionsFilter {
  search?: string;
  state?: string;
  /** The name of whose they are. */
  user?: string;
  /** The id of the runner that holds them. */
  runner?: string;
}

export const sessionsRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/",
  validateSearch: ({ search, state, user, runner }: Record<string, unknown>): SessionsFilter => ({
    search: textParam(search),
    state: textParam(state),
    user: textParam(user),
    runner: textParam(runner),
  }),
  component: lazyRouteComponent(() => import("./sessions-page"), "SessionsPage"),
});
