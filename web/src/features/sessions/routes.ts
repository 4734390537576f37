import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

export interface SessionsFilter {
  search?: string;
  state?: string;
}

const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);

export const sessionsRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "/",
  validateSearch: ({ search, state }: Record<string, unknown>): SessionsFilter => ({
    search: text(search),
    state: text(state),
  }),
  component: lazyRouteComponent(() => import("./sessions-page"), "SessionsPage"),
});
