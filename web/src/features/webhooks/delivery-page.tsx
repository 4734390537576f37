import { Button, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { api, ask } from "../../api/client";
import type { components } from "../../api/schema";
import { t } from "../../texts";
import { BackLink } from "../../ui/back-link";
import { Facts } from "../../ui/facts";
import { duration, moment } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { Badge, Card, PageHeader } from "../../ui/page";
import { Ago } from "../../ui/time";
import { WideTable } from "../../ui/wide-table";
import { tone } from "./deliveries";
import { useReplay } from "./use-replay";
import classes from "./webhooks.module.css";

const words = t.webhooks.delivery;
const states = t.webhooks.deliveries.states;

type Details = components["schemas"]["DetailsBody"];

export function DeliveryPage() {
  const { id } = useParams({ from: "/app/webhooks/deliveries/$id" });
  const delivery = useQuery({
    queryKey: ["delivery", id],
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/webhook/deliveries/{id}", { params: { path: { id } }, signal }))).data,
    refetchInterval: (query) => (query.state.data?.state === "delivered" ? false : 3_000),
  });
  return (
    <>
      <BackLink to="/app/webhooks/deliveries">{t.webhooks.tabs.deliveries}</BackLink>
      <PageHeader title={words.title} aside={delivery.data && <Replay delivery={delivery.data} />} />
      <Loaded query={delivery}>{(details) => <Shown details={details} />}</Loaded>
    </>
  );
}

function Replay(props: { delivery: Details }) {
  const { delivery } = props;
  const act = useReplay(delivery.id);
  return (
    <Button
      leftSection={<RotateCcw size={16} aria-hidden />}
      disabled={delivery.state === "claimed"}
      loading={act.isPending}
      onClick={() => act.mutate()}
    >
      {t.webhooks.deliveries.replay}
    </Button>
  );
}

function Shown(props: { details: Details }) {
  const { details } = props;
  return (
    <Stack>
      <Card>
        <Facts
          facts={[
            [
              t.webhooks.deliveries.state,
              <Badge key="state" tone={tone(details)}>
                {states[details.state] ?? details.state}
              </Badge>,
            ],
            [words.event, t.webhooks.events[details.event] ?? details.event],
            [
              t.webhooks.deliveries.session,
              details.session ? (
                <TextLink key="session" to="/app/sessions/$name" params={{ name: details.session }}>
                  {details.session}
                </TextLink>
              ) : (
                t.webhooks.deliveries.removedSession
              ),
            ],
            [words.to, details.url],
            [words.created, <Ago key="created" at={details.created_at} />],
            details.finished_at && [words.finished, <Ago key="finished" at={details.finished_at} />],
            details.next_attempt_at && [words.nextAttempt, <Ago key="next" at={details.next_attempt_at} />],
            [words.eventId, details.event_id],
          ]}
        />
      </Card>
      <Card title={words.attempts}>
        <Attempts history={details.history} />
      </Card>
      <Card title={words.payload}>
        {/* Scrolls, so it takes the focus. */}
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard has to reach what scrolls */}
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form */}
        <div className={classes.answer} role="group" tabIndex={0} aria-label={words.payload}>
          {JSON.stringify(details.payload, null, 2)}
        </div>
      </Card>
    </Stack>
  );
}

function Attempts(props: { history: Details["history"] }) {
  if (props.history.length === 0) return <Text c="dimmed">{words.noAttempts}</Text>;
  return (
    <WideTable
      label={words.attempts}
      head={
        <>
          <Table.Th>{words.attempt}</Table.Th>
          <Table.Th>{words.at}</Table.Th>
          <Table.Th>{words.took}</Table.Th>
          <Table.Th>{words.status}</Table.Th>
          <Table.Th>{words.answer}</Table.Th>
        </>
      }
    >
      {props.history.map(({ number, at, duration_ms, status, answer }) => (
        <Table.Tr key={number}>
          <Table.Td>{number}</Table.Td>
          <Table.Td>{moment(at)}</Table.Td>
          <Table.Td>{duration(duration_ms)}</Table.Td>
          <Table.Td>{status ?? words.noAnswer}</Table.Td>
          <Table.Td className={classes.url}>{answer}</Table.Td>
        </Table.Tr>
      ))}
    </WideTable>
  );
}
