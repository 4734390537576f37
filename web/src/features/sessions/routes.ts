import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";
import { textParam } from "../../search-params";

export interface SessionsFilter {
  search?: string;
  state?: string;
}

export const sessionsRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/",
  validateSearch: ({ search, state }: Record<string, unknown>): SessionsFilter => ({
    search: textParam(search),
    state: textParam(state),
  }),
  component: lazyRouteComponent(() => import("./sessions-page"), "SessionsPage"),
});
