import { ActionIcon, Button, Group, Menu, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ellipsis, KeyRound, ListChecks, Pencil, Power, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Confirm } from "../../ui/confirm";
import { Facts } from "../../ui/facts";
import { count, duration } from "../../ui/format";
import { LinkButton } from "../../ui/links";
import { Badge, Card } from "../../ui/page";
import { Ago } from "../../ui/time";
import { EndpointForm } from "./endpoint-form";
import { EndpointTest } from "./endpoint-test";
import { condition, type Endpoint, endpointsQuery } from "./endpoints";
import classes from "./webhooks.module.css";

const words = t.webhooks.endpoints;
const TONES = { enabled: "good", failing: "bad", disabled: "off" } as const;

export function EndpointCard(props: { endpoint: Endpoint; onSecret: (secret: string) => void }) {
  const { endpoint } = props;
  const [testing, setTesting] = useState(false);
  const state = condition(endpoint);
  return (
    <Card>
      <Stack gap="sm">
        <Group justify="space-between" align="start" wrap="nowrap">
          <div className={classes.words}>
            <Text size="xs" c="dimmed">
              {words.kinds[endpoint.kind] ?? endpoint.kind} ·{" "}
              {endpoint.signed ? words.signed : words.notSigned}
            </Text>
            <Text component="h2" fw={600} className={classes.url}>
              {endpoint.url}
            </Text>
            {endpoint.description && (
              <Text size="sm" c="dimmed" className={classes.url}>
                {endpoint.description}
              </Text>
            )}
          </div>
          <Badge tone={TONES[state]}>{words[state]}</Badge>
        </Group>
        {endpoint.disabled_reason && <Text size="sm">{endpoint.disabled_reason}</Text>}
        <EndpointFacts endpoint={endpoint} />
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            leftSection={<Send size={14} aria-hidden />}
            onClick={() => setTesting(true)}
          >
            {words.test}
          </Button>
          <LinkButton
            size="xs"
            variant="default"
            leftSection={<ListChecks size={14} aria-hidden />}
            to="/app/webhooks/deliveries"
            search={{ endpoint: endpoint.id }}
          >
            {words.showDeliveries}
          </LinkButton>
          <EndpointMenu endpoint={endpoint} onSecret={props.onSecret} />
        </Group>
        {testing && <EndpointTest id={endpoint.id} onClose={() => setTesting(false)} />}
      </Stack>
    </Card>
  );
}

function EndpointFacts(props: { endpoint: Endpoint }) {
  const { endpoint } = props;
  const { health } = endpoint;
  const last = health?.last_answer ?? endpoint.last_delivery;
  const dead = health?.dead ?? endpoint.dead;
  return (
    <Facts
      facts={[
        [words.hears, endpoint.events.map((event) => t.webhooks.events[event] ?? event).join(", ")],
        health && [words.delivered24h, count(health.delivered_24h)],
        health && [words.failed24h, count(health.failed_24h)],
        [words.waiting, count(endpoint.pending)],
        health?.oldest_due_at && [words.oldestDue, <Ago key="due" at={health.oldest_due_at} />],
        [
          words.dead,
          dead > 0 ? (
            <Link
              key="dead"
              to="/app/webhooks/deliveries"
              search={{ endpoint: endpoint.id, state: "dead" }}
              className={classes.bad}
            >
              {count(dead)}
            </Link>
          ) : (
            count(0)
          ),
        ],
        [
          words.last,
          last ? (
            <span key="last">
              {last.status ?? last.error ?? t.webhooks.delivery.noAnswer}
              {"duration_ms" in last && `, ${duration(last.duration_ms)}`}, <Ago at={last.at} />
            </span>
          ) : (
            words.noneYet
          ),
        ],
        endpoint.previous_secret_until && [
          words.secretBefore,
          <Ago key="until" at={endpoint.previous_secret_until} />,
        ],
      ]}
    />
  );
}

type Asked = "edit" | "off" | "rotate" | "delete" | null;

function EndpointMenu(props: { endpoint: Endpoint; onSecret: (secret: string) => void }) {
  const { endpoint } = props;
  const [asked, setAsked] = useState<Asked>(null);
  const queries = useQueryClient();
  const path = { params: { path: { id: endpoint.id } } };
  const done = async (message: string) => {
    notifications.show({ message });
    await queries.invalidateQueries(endpointsQuery);
  };
  const turn = (enabled: boolean) =>
    ask(api.PUT("/webhook/endpoints/{id}", { ...path, body: { enabled } })).then(() => done(words.changed));
  const rotate = async () => {
    const { data } = await ask(api.POST("/webhook/endpoints/{id}/rotate-secret", path));
    props.onSecret(data.secret);
    await queries.invalidateQueries(endpointsQuery);
  };
  const remove = () => ask(api.DELETE("/webhook/endpoints/{id}", path)).then(() => done(words.removed));
  const confirm = {
    off: { ...words.confirmOff, action: words.turnOff, danger: true, onConfirm: () => turn(false) },
    rotate: { ...words.confirmRotate, action: words.rotate, danger: false, onConfirm: rotate },
    delete: { ...words.confirmDelete, action: t.common.delete, danger: true, onConfirm: remove },
  };
  return (
    <>
      <Menu position="bottom-start" width={230}>
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label={words.actions(endpoint.url)}>
            <Ellipsis size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Pencil size={16} aria-hidden />} onClick={() => setAsked("edit")}>
            {words.edit}
          </Menu.Item>
          <Menu.Item leftSection={<KeyRound size={16} aria-hidden />} onClick={() => setAsked("rotate")}>
            {endpoint.signed ? words.rotate : words.sign}
          </Menu.Item>
          <Menu.Item
            leftSection={<Power size={16} aria-hidden />}
            onClick={() => (endpoint.enabled ? setAsked("off") : void turn(true))}
          >
            {endpoint.enabled ? words.turnOff : words.turnOn}
          </Menu.Item>
          {endpoint.kind === "custom" && (
            <Menu.Item
              color="red"
              leftSection={<Trash2 size={16} aria-hidden />}
              onClick={() => setAsked("delete")}
            >
              {t.common.delete}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {asked === "edit" && <EndpointForm id={endpoint.id} onClose={() => setAsked(null)} />}
      {(["off", "rotate", "delete"] as const).map((deed) => (
        <Confirm key={deed} opened={asked === deed} onClose={() => setAsked(null)} {...confirm[deed]} />
      ))}
    </>
  );
}
