import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

export const keysRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "keys",
  component: lazyRouteComponent(() => import("./keys-page"), "KeysPage"),
});
