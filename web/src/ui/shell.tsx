import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { KeyRound, MessagesSquare, ShieldCheck, Webhook } from "lucide-react";
import { lazy, Suspense } from "react";
import { loggedOut } from "../api/connection";
import { useStore } from "../api/store";
import { useLoggedIn } from "../features/login/me";
import { t } from "../texts";
import { AccountMenu } from "./account-menu";
import { ConnectionNotice } from "./connection-notice";
import { Mark } from "./mark";
import classes from "./shell.module.css";

const PLACES = [
  { to: "/app", text: t.common.nav.sessions, Icon: MessagesSquare, exact: true, admin: false },
  { to: "/app/webhooks", text: t.common.nav.webhooks, Icon: Webhook, exact: false, admin: false },
  { to: "/app/keys", text: t.common.nav.keys, Icon: KeyRound, exact: false, admin: false },
  { to: "/app/admin", text: t.common.nav.admin, Icon: ShieldCheck, exact: false, admin: true },
] as const;

const LogInAgain = lazy(() =>
  import("../features/login/log-in-again").then((module) => ({ default: module.LogInAgain })),
);

/** What is around every page of somebody who is logged in. */
export function Shell() {
  const again = useStore(loggedOut);
  return (
    <div className={classes.shell}>
      <button type="button" className={classes.skip} onClick={skip}>
        {t.common.skipToContent}
      </button>
      <header className={classes.header}>
        <Link to="/app" className={classes.brand}>
          <Mark size={28} />
          {t.common.product}
        </Link>
        <AccountMenu />
      </header>
      <nav className={classes.places} aria-label={t.common.navigation}>
        <Places />
      </nav>
      <main className={classes.main} id="content" tabIndex={-1}>
        <Outlet />
      </main>
      <ConnectionNotice />
      {again && (
        <Suspense>
          <LogInAgain />
        </Suspense>
      )}
    </div>
  );
}

function Places() {
  const me = useLoggedIn();
  // A session's pages belong to the list.
  const below = useLocation({ select: ({ pathname }) => pathname.startsWith("/app/sessions/") });
  return PLACES.filter((place) => me.is_admin || !place.admin).map(({ to, text, Icon, exact }) => (
    <Link
      key={to}
      to={to}
      className={classes.place}
      activeOptions={{ exact, includeSearch: false }}
      data-status={exact && below ? "active" : undefined}
    >
      <Icon size={20} aria-hidden />
      {text}
    </Link>
  ));
}

// A button, because a link to "#content" would leave the page: there is a `<base href>`.
function skip() {
  document.getElementById("content")?.focus();
}
