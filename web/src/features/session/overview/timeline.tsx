import { Button, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { api, ask } from "../../../api/client";
import { t } from "../../../texts";
import { moment, shortMoment, span } from "../../../ui/format";
import { Loaded } from "../../../ui/loaded";
import { Card } from "../../../ui/page";
import { toneOf, wordOf } from "../../../ui/session-state";
import { useNow } from "../../../ui/time";
import { sessionKey } from "../session-query";
import classes from "./timeline.module.css";

const PAGE = 30;

/** The states that a session was in, with reasons, the latest first. */
export function Timeline({ name }: { name: string }) {
  const history = useInfiniteQuery({
    queryKey: [...sessionKey(name), "timeline"],
    queryFn: async ({ pageParam, signal }) => {
      const params = { path: { name }, query: { limit: PAGE, before: pageParam } };
      return (await ask(api.GET("/session/{name}/events", { params, signal }))).data;
    },
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const now = useNow();
  return (
    <Card title={t.session.timeline.title}>
      <Loaded query={history}>
        {({ pages }) => {
          const events = pages.flatMap((page) => page.events);
          if (events.length === 0) return <Text c="dimmed">{t.session.timeline.empty}</Text>;
          return (
            <ol className={classes.timeline}>
              {events.map((event, index) => {
                const until = events[index - 1]?.at;
                return (
                  <li key={event.id} className={classes.event} data-tone={toneOf(event.state)}>
                    <div className={classes.line}>
                      <span className={classes.state}>{wordOf(event.state)}</span>
                      <time className={classes.time} dateTime={event.at} title={moment(event.at)}>
                        {shortMoment(event.at, now)}
                      </time>
                      {until && (
                        <span className={classes.time}>
                          {t.session.timeline.lasted(span(Date.parse(until) - Date.parse(event.at)))}
                        </span>
                      )}
                    </div>
                    {event.reason && <div className={classes.reason}>{event.reason}</div>}
                  </li>
                );
              })}
            </ol>
          );
        }}
      </Loaded>
      {history.hasNextPage && (
        <Button
          variant="default"
          mt="md"
          loading={history.isFetchingNextPage}
          onClick={() => void history.fetchNextPage()}
        >
          {t.common.loadMore}
        </Button>
      )}
    </Card>
  );
}
