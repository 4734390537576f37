import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

export const sessionRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "sessions/$name",
  component: lazyRouteComponent(() => import("./session-page"), "SessionPage"),
});
