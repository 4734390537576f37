import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";
import { textParam } from "../../search-params";
import { KINDS, type Kind } from "./send/kinds";

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

export interface MessagesFilter {
  direction?: "in" | "out";
  state?: string;
  chat?: string;
}

export const messagesRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "messages",
  validateSearch: ({ direction, state, chat }: Record<string, unknown>): MessagesFilter => ({
    direction: direction === "in" || direction === "out" ? direction : undefined,
    state: textParam(state),
    chat: textParam(chat),
  }),
  component: lazyRouteComponent(() => import("./messages/messages-page"), "MessagesPage"),
});

/** What the form begins with. */
export interface SendBeginning {
  kind?: Kind;
  to?: string;
  /** The message that is replied to. */
  quoted?: string;
  /** The message that is reacted to. */
  message?: string;
}

export const sendRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "send",
  validateSearch: ({ kind, to, quoted, message }: Record<string, unknown>): SendBeginning => ({
    kind: KINDS.find((one) => one === kind),
    to: textParam(to),
    quoted: textParam(quoted),
    message: textParam(message),
  }),
  component: lazyRouteComponent(() => import("./send/send-page"), "SendPage"),
});

const linkRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "link",
  component: lazyRouteComponent(() => import("./pairing/pairing-page"), "PairingPage"),
});

export const sessionRoutes = sessionRoute.addChildren([overviewRoute, messagesRoute, sendRoute, linkRoute]);
