import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

export const webhooksRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "webhooks",
  component: lazyRouteComponent(() => import("./webhooks-page"), "WebhooksPage"),
});
