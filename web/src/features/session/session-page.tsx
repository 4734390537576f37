import { Loader } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useMatchRoute } from "@tanstack/react-router";
import { TriangleAlert, Unplug } from "lucide-react";
import { Suspense } from "react";
import { useLive } from "../../api/live";
import { t } from "../../texts";
import { BackLink } from "../../ui/back-link";
import { phone } from "../../ui/format";
import { LinkButton } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { EmptyState, PageHeader } from "../../ui/page";
import { Picture } from "../../ui/picture";
import { adviceOf, StateBadge } from "../../ui/session-state";
import { TabBar, TabLink } from "../../ui/tab-links";
import { Ago } from "../../ui/time";
import { SessionActions } from "./actions/session-actions";
import { sessionRoute } from "./routes";
import classes from "./session-page.module.css";
import { sessionKey, sessionQuery } from "./session-query";

const WHOLE = { exact: true, includeSearch: false };
const PART = { includeSearch: false };

/** What is around the pages of a session: who it is, how it is, what can be done. */
export function SessionPage() {
  const { name } = sessionRoute.useParams();
  const session = useQuery(sessionQuery(name));
  const queries = useQueryClient();
  const linking = useMatchRoute()({ to: "/app/sessions/$name/link" });
  useLive((event) => {
    if (event.event === "again" || (event.event === "session" && event.session === name)) {
      void queries.invalidateQueries({ queryKey: sessionKey(name) });
    }
  });
  if (session.error?.code === "session_not_found") return <Gone />;
  return (
    <>
      <BackLink to="/app">{t.session.toList}</BackLink>
      <Loaded query={session}>
        {(data) => {
          const advice = adviceOf(data);
          return (
            <>
              <div className={classes.head}>
                <Picture
                  path={data.number ? `/session/${encodeURIComponent(name)}/picture` : null}
                  name={name}
                  size={56}
                />
                <PageHeader
                  title={name}
                  about={
                    <span className={classes.about}>
                      <StateBadge state={data.state} />
                      <Ago at={data.since} />
                      <span>{data.number ? phone(data.number) : t.session.notLinked}</span>
                    </span>
                  }
                  aside={<SessionActions session={data} />}
                />
              </div>
              {advice && !linking && (
                <p className={classes.advice} role="status">
                  <TriangleAlert size={20} aria-hidden />
                  <span>
                    {advice}
                    {data.reason && <span className={classes.reason}> {data.reason}</span>}
                  </span>
                </p>
              )}
              <TabBar label={t.session.sections}>
                <TabLink to="/app/sessions/$name" params={{ name }} activeOptions={WHOLE}>
                  {t.session.overview}
                </TabLink>
                <TabLink to="/app/sessions/$name/messages" params={{ name }} activeOptions={PART}>
                  {t.session.messages}
                </TabLink>
                <TabLink to="/app/sessions/$name/send" params={{ name }} activeOptions={PART}>
                  {t.session.send}
                </TabLink>
                {(!data.credentials_present || data.needs_person || linking) && (
                  <TabLink to="/app/sessions/$name/link" params={{ name }} activeOptions={PART}>
                    {t.session.link}
                  </TabLink>
                )}
              </TabBar>
              <Suspense fallback={<Loader aria-label={t.common.loading} />}>
                <Outlet />
              </Suspense>
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function Gone() {
  const { title, text, action } = t.session.gone;
  return (
    <EmptyState
      page
      icon={<Unplug size={40} aria-hidden />}
      title={title}
      text={text}
      action={<LinkButton to="/app">{action}</LinkButton>}
    />
  );
}
