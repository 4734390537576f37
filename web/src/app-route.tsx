import { createRootRoute, createRoute, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useMe } from "./features/login/me";
import { t } from "./texts";
import { Crashed } from "./ui/crashed";
import { LinkButton } from "./ui/links";
import { Loaded } from "./ui/loaded";
import { EmptyState } from "./ui/page";
import { Shell } from "./ui/shell";

export const rootRoute = createRootRoute({
  component: Outlet,
  notFoundComponent: NotFound,
  errorComponent: Crashed,
});

/** Every page behind the log-in is a child of this. */
export const appRoute = createRoute({ getParentRoute: () => rootRoute, path: "/app", component: Guarded });

function NotFound() {
  const { title, text, action } = t.common.notFound;
  return (
    <main>
      <EmptyState page title={title} text={text} action={<LinkButton to="/app">{action}</LinkButton>} />
    </main>
  );
}

function Guarded() {
  const me = useMe();
  const navigate = useNavigate();
  const { href } = useLocation();
  const unknown = !me.data && me.error?.status === 401;
  const from = useRef(href);
  useEffect(() => {
    if (unknown) void navigate({ to: "/app/login", search: { from: from.current }, replace: true });
  }, [unknown, navigate]);
  if (unknown) return null;
  return <Loaded query={me}>{() => <Shell />}</Loaded>;
}
