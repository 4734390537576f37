import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "../../app-route";

/** Opened by whoever was given the link, without an account. */
export const linkRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/link/$token",
  component: lazyRouteComponent(() => import("./link-page"), "LinkPage"),
});
