import { Button, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ArrowRightLeft } from "lucide-react";
import { useState } from "react";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Confirm } from "../../ui/confirm";
import { count } from "../../ui/format";
import { TextLink } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { Badge, Card } from "../../ui/page";
import { Ago } from "../../ui/time";
import classes from "./admin.module.css";
import { MoveSession } from "./move-session";
import { type Runner, runnersQuery } from "./runners-query";

const words = t.admin.runners;

/** The processes that hold sessions. */
export function Runners() {
  const runners = useQuery(runnersQuery);
  const queries = useQueryClient();
  const [draining, setDraining] = useState<Runner | null>(null);
  const [moving, setMoving] = useState(false);
  const drain = async () => {
    await ask(api.POST("/admin/runners/{id}/drain", { params: { path: { id: draining?.id ?? "" } } }));
    notifications.show({ message: words.drained });
    await queries.invalidateQueries(runnersQuery);
  };
  return (
    <Card
      title={words.title}
      aside={
        <Button
          size="xs"
          variant="default"
          leftSection={<ArrowRightLeft size={14} aria-hidden />}
          onClick={() => setMoving(true)}
        >
          {words.move}
        </Button>
      }
    >
      <Loaded query={runners}>
        {(list) =>
          list.length === 0 ? (
            <Text c="dimmed">{words.empty}</Text>
          ) : (
            <ul className={classes.rows}>
              {list.map((runner) => (
                <Row key={runner.id} runner={runner} onDrain={() => setDraining(runner)} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <Confirm
        opened={draining !== null}
        onClose={() => setDraining(null)}
        title={words.confirm.title(draining?.name ?? "")}
        text={words.confirm.text}
        action={words.drain}
        danger
        onConfirm={drain}
      />
      {moving && <MoveSession runners={runners.data ?? []} onClose={() => setMoving(false)} />}
    </Card>
  );
}

function Row(props: { runner: Runner; onDrain: () => void }) {
  const { runner } = props;
  const held = words.sessions(count(runner.sessions), count(runner.capacity));
  const lost = runner.lease_seconds_left <= 0;
  const [tone, state] = lost
    ? (["bad", words.lost] as const)
    : runner.draining
      ? (["busy", words.draining] as const)
      : (["good", words.takes] as const);
  return (
    <li>
      <div className={classes.who}>
        <Text fw={600}>{runner.name}</Text>
        <Text size="sm" c="dimmed">
          {words.version(runner.version)}, {words.since} <Ago at={runner.started_at} />
        </Text>
      </div>
      <div className={classes.load}>
        <Text size="sm">
          {runner.sessions > 0 ? (
            <TextLink to="/app" search={{ runner: runner.id }}>
              {held}
            </TextLink>
          ) : (
            held
          )}
        </Text>
        <meter
          aria-label={words.load(runner.name)}
          min={0}
          max={runner.capacity}
          high={runner.capacity * 0.9}
          value={runner.sessions}
        />
      </div>
      <div className={classes.deeds}>
        <Badge tone={tone}>{state}</Badge>
        <Button
          size="xs"
          variant="default"
          disabled={runner.draining}
          onClick={props.onDrain}
          aria-label={words.drainThis(runner.name)}
        >
          {words.drain}
        </Button>
      </div>
    </li>
  );
}
