import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

export const adminRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "admin",
  component: lazyRouteComponent(() => import("./admin-page"), "AdminPage"),
});
