import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { appRoute } from "../../app-route";

const admin = createRoute({
  getParentRoute: () => appRoute,
  path: "admin",
  component: lazyRouteComponent(() => import("./admin-page"), "AdminPage"),
});

const overview = createRoute({
  getParentRoute: () => admin,
  path: "/",
  component: lazyRouteComponent(() => import("./overview-tab"), "OverviewTab"),
});

const users = createRoute({
  getParentRoute: () => admin,
  path: "users",
  component: lazyRouteComponent(() => import("./users-tab"), "UsersTab"),
});

const audit = createRoute({
  getParentRoute: () => admin,
  path: "audit",
  component: lazyRouteComponent(() => import("./audit-tab"), "AuditTab"),
});

const user = createRoute({
  getParentRoute: () => appRoute,
  path: "admin/users/$id",
  component: lazyRouteComponent(() => import("./user-page"), "UserPage"),
});

export const adminRoutes = [admin.addChildren([overview, users, audit]), user] as const;
