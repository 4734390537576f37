import { createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { appRoute, rootRoute } from "./app-route";
import { prefix } from "./base";
import { adminRoutes } from "./features/admin/routes";
import { keysRoute } from "./features/keys/routes";
import { linkRoute } from "./features/link/routes";
import { sessionRoutes } from "./features/session/routes";
import { sessionsRoute } from "./features/sessions/routes";
import { webhooksRoutes } from "./features/webhooks/routes";

const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/app/login",
  validateSearch: (search: Record<string, unknown>): { from?: string } => ({
    // Only a place of this site: an address from elsewhere would be a way to lure people away.
    from: typeof search.from === "string" && /^\/(?![/\\])/.test(search.from) ? search.from : undefined,
  }),
  component: lazyRouteComponent(() => import("./features/login/login-page"), "LoginPage"),
});

// The addresses of the Node gateway's pages.
const oldDashboard = createRoute({
  getParentRoute: () => rootRoute,
  path: "/dashboard",
  beforeLoad: () => {
    throw redirect({ to: "/app", replace: true });
  },
});
const oldAdmin = createRoute({
  getParentRoute: () => rootRoute,
  path: "/admin",
  beforeLoad: () => {
    throw redirect({ to: "/app/admin", replace: true });
  },
});

const routeTree = rootRoute.addChildren([
  linkRoute,
  loginRoute,
  oldDashboard,
  oldAdmin,
  appRoute.addChildren([sessionsRoute, sessionRoutes, ...webhooksRoutes, keysRoute, ...adminRoutes]),
]);

export const router = createRouter({
  routeTree,
  basepath: prefix,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
