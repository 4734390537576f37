import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";
import { textParam } from "../../search-params";

const webhooks = createRoute({
  getParentRoute: () => appRoute,
  path: "webhooks",
  component: lazyRouteComponent(() => import("./webhooks-page"), "WebhooksPage"),
});

const endpoints = createRoute({
  getParentRoute: () => webhooks,
  path: "/",
  component: lazyRouteComponent(() => import("./endpoints-tab"), "EndpointsTab"),
});

/** Which deliveries are shown. */
export interface DeliveryFilter {
  state?: string;
  endpoint?: string;
  session?: string;
}

const deliveries = createRoute({
  getParentRoute: () => webhooks,
  path: "deliveries",
  validateSearch: (search: Record<string, unknown>): DeliveryFilter => ({
    state: textParam(search.state),
    endpoint: textParam(search.endpoint),
    session: textParam(search.session),
  }),
  component: lazyRouteComponent(() => import("./deliveries-tab"), "DeliveriesTab"),
});

const authentication = createRoute({
  getParentRoute: () => webhooks,
  path: "authentication",
  component: lazyRouteComponent(() => import("./authentication-tab"), "AuthenticationTab"),
});

const delivery = createRoute({
  getParentRoute: () => appRoute,
  path: "webhooks/deliveries/$id",
  component: lazyRouteComponent(() => import("./delivery-page"), "DeliveryPage"),
});

/** Where an authorization server sends people back to. */
const oauth2Back = createRoute({
  getParentRoute: () => appRoute,
  path: "webhooks/oauth2-back",
  component: lazyRouteComponent(() => import("./oauth2-back-page"), "OAuth2BackPage"),
});

export const webhooksRoutes = [
  webhooks.addChildren([endpoints, deliveries, authentication]),
  delivery,
  oauth2Back,
] as const;
