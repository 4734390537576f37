import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

/** The frame of a session's pages. */
export const sessionRoute = createRoute({
  getParentRoute: () => appRoute,
  path: "sessions/$name",
  component: lazyRouteComponent(() => import("./session-page"), "SessionPage"),
});

const overviewRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "/",
  component: lazyRouteComponent(() => import("./overview/overview-page"), "OverviewPage"),
});

const messagesRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "messages",
  component: lazyRouteComponent(() => import("./messages/messages-page"), "MessagesPage"),
});

const sendRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "send",
  component: lazyRouteComponent(() => import("./send/send-page"), "SendPage"),
});

const linkRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "link",
  component: lazyRouteComponent(() => import("./pairing/pairing-page"), "PairingPage"),
});

export const sessionRoutes = sessionRoute.addChildren([overviewRoute, messagesRoute, sendRoute, linkRoute]);
