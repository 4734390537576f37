import { createRootRoute, createRoute, Navigate, Outlet, useLocation } from "@tanstack/react-router";
import { useMe } from "./features/login/me";
import { t } from "./texts";
import { Loaded } from "./ui/loaded";
import { EmptyState } from "./ui/page";
import { Shell } from "./ui/shell";

export const rootRoute = createRootRoute({
  component: Outlet,
  notFoundComponent: () => <EmptyState title={t.common.notFound.title} text={t.common.notFound.text} />,
  errorComponent: () => <EmptyState title={t.common.crashed.title} text={t.common.crashed.text} />,
});

/** Every page behind the log-in is a child of this. */
export const appRoute = createRoute({ getParentRoute: () => rootRoute, path: "/app", component: Guarded });

function Guarded() {
  const me = useMe();
  const { href } = useLocation();
  if (!me.data && me.error?.status === 401)
    return <Navigate to="/app/login" search={{ from: href }} replace />;
  return <Loaded query={me}>{() => <Shell />}</Loaded>;
}
