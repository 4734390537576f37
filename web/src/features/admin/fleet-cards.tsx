import { SimpleGrid, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api, ask } from "../../api/client";
import type { FleetHealth } from "../../api/types";
import { t } from "../../texts";
import { count } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import type { Tone } from "../../ui/page";
import { Ago } from "../../ui/time";
import { NEEDS_PERSON } from "../sessions/sessions-query";
import classes from "./admin.module.css";

const words = t.admin.fleet;
const FIGURES = 6;

/** How the whole gateway is, in six figures. */
export function FleetCards() {
  const fleet = useQuery({
    queryKey: ["fleet"],
    queryFn: async ({ signal }) => (await ask(api.GET("/admin/fleet", { signal }))).data,
    refetchInterval: 3_000,
  });
  return (
    <section aria-label={words.title}>
      <Loaded query={fleet} outline={<Outline />}>
        {(health) => <Figures health={health} />}
      </Loaded>
    </section>
  );
}

const Grid = (props: { children: ReactNode }) => (
  <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="sm">
    {props.children}
  </SimpleGrid>
);

function Outline() {
  return (
    <Grid>
      {Array.from({ length: FIGURES }, (_, figure) => (
        <Skeleton key={figure} height={124} radius="lg" />
      ))}
    </Grid>
  );
}

function Figures(props: { health: FleetHealth }) {
  const { sessions, outbound, deliveries } = props.health;
  const oldest = (at?: string | null) =>
    at ? (
      <>
        {words.oldest} <Ago at={at} />
      </>
    ) : (
      words.nothingWaits
    );
  const all = sessions.connected >= sessions.expected;
  return (
    <Grid>
      <Figure
        name={words.connected}
        value={sessions.connected}
        tone={all ? "good" : "bad"}
        about={words.ofExpected(count(sessions.expected))}
      />
      <Figure
        name={words.needsPerson}
        value={sessions.needs_person}
        tone={sessions.needs_person > 0 ? "bad" : "off"}
        about={
          sessions.needs_person > 0 ? (
            <TextLink fz="inherit" to="/app" search={{ state: NEEDS_PERSON }}>
              {words.showThem}
            </TextLink>
          ) : (
            words.nobody
          )
        }
      />
      <Figure
        name={words.unowned}
        value={sessions.unowned}
        tone={sessions.unowned > 0 ? "busy" : "off"}
        about={sessions.unowned > 0 ? words.unownedAbout : words.noneUnowned}
      />
      <Figure name={words.queued} value={outbound.queued} tone="off" about={oldest(outbound.oldest_at)} />
      <Figure name={words.due} value={deliveries.due} tone="off" about={oldest(deliveries.oldest_due_at)} />
      <Figure
        name={words.dead}
        value={deliveries.dead}
        tone={deliveries.dead > 0 ? "bad" : "off"}
        about={
          deliveries.dead > 0 ? (
            <TextLink fz="inherit" to="/app/webhooks/deliveries" search={{ state: "dead" }}>
              {words.showThem}
            </TextLink>
          ) : (
            words.nothingWaits
          )
        }
      />
    </Grid>
  );
}

function Figure(props: { name: string; value: number; tone: Tone; about: ReactNode }) {
  return (
    <div className={classes.figure} data-tone={props.tone}>
      <div className={classes.name}>{props.name}</div>
      <div className={classes.value}>{count(props.value)}</div>
      <div className={classes.about}>{props.about}</div>
    </div>
  );
}
