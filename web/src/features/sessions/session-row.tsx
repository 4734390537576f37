import { Link } from "@tanstack/react-router";
import { ArrowDownLeft, ArrowUpRight } from "lucide-react";
import { memo } from "react";
import type { ListedSession } from "../../api/types";
import { t } from "../../texts";
import { count, phone } from "../../ui/format";
import { Picture } from "../../ui/picture";
import { adviceOf, StateBadge } from "../../ui/session-state";
import { Ago } from "../../ui/time";
import classes from "./session-list.module.css";

/** One session in the list. Drawn again only when something about it changed. */
export const SessionRow = memo(function SessionRow(props: {
  session: ListedSession;
  /** Whose it is, where that is not to be seen from its name. */
  owner?: string;
}) {
  const { session } = props;
  const advice = adviceOf(session);
  const number = session.phone_number ? phone(session.phone_number) : t.sessions.notLinked;
  const today = t.sessions.today(count(session.sent_today), count(session.received_today));
  return (
    <Link
      to="/app/sessions/$name"
      params={{ name: session.name }}
      preload={false}
      className={classes.row}
      data-needs-person={advice ? "" : undefined}
    >
      <Picture path={session.picture} name={session.name} />
      <div className={classes.who}>
        <div className={classes.name}>{session.name}</div>
        <div className={classes.quiet}>
          {number}
          {props.owner && ` · ${t.sessions.ofUser(props.owner)}`}
        </div>
      </div>
      <div className={classes.state}>
        <div className={classes.stateLine}>
          <StateBadge state={session.state} />
          <span className={classes.quiet}>
            <Ago at={session.since} />
          </span>
        </div>
        {advice ? (
          <div className={classes.advice} title={advice}>
            {advice}
          </div>
        ) : (
          <div className={classes.quiet}>{session.state !== "connected" && session.reason}</div>
        )}
      </div>
      <div className={classes.today} title={today}>
        <span className={classes.visuallyHidden}>{today}</span>
        <span aria-hidden>
          <ArrowUpRight size={14} /> {count(session.sent_today)}
        </span>
        <span aria-hidden>
          <ArrowDownLeft size={14} /> {count(session.received_today)}
        </span>
      </div>
      <div className={classes.last}>
        <span className={classes.label}>{t.sessions.lastMessage} </span>
        <Ago at={session.last_message_at} otherwise={t.sessions.noMessageYet} />
      </div>
    </Link>
  );
});
