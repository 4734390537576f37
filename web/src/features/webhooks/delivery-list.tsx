import { Button } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";
import { t } from "../../texts";
import { Badge } from "../../ui/page";
import { Ago } from "../../ui/time";
import { VirtualRows } from "../../ui/virtual-rows";
import { type Delivery, tone } from "./deliveries";
import classes from "./delivery-list.module.css";
import { useReplay } from "./use-replay";

const words = t.webhooks.deliveries;
const HEIGHT = 68;
const PHONE_HEIGHT = 144;

export function DeliveryList(props: { rows: Delivery[]; onEnd: () => void }) {
  const phone = useMediaQuery("(max-width: 48em)", undefined, { getInitialValueInEffect: false });
  return (
    <VirtualRows
      label={words.list}
      rows={props.rows}
      height={phone ? PHONE_HEIGHT : HEIGHT}
      keyOf={(delivery) => delivery.id}
      onEnd={props.onEnd}
    >
      {(delivery) => <Row delivery={delivery} />}
    </VirtualRows>
  );
}

function Row(props: { delivery: Delivery }) {
  const { delivery } = props;
  const session = delivery.session ?? words.removedSession;
  return (
    <div className={classes.row}>
      <div className={classes.state}>
        <Badge tone={tone(delivery)}>{words.states[delivery.state] ?? delivery.state}</Badge>
      </div>
      <div className={classes.what}>
        <Link to="/app/webhooks/deliveries/$id" params={{ id: delivery.id }} className={classes.link}>
          {t.webhooks.events[delivery.event] ?? delivery.event} · {session}
        </Link>
        <div className={classes.quiet}>{delivery.url}</div>
      </div>
      <div className={classes.outcome}>
        <div className={classes.line}>{outcome(delivery)}</div>
        <div className={classes.quiet}>
          {words.attempts(delivery.attempts)} · <Ago at={delivery.created_at} />
        </div>
      </div>
      <div className={classes.act}>
        {delivery.state === "dead" && <Replay delivery={delivery} session={session} />}
      </div>
    </div>
  );
}

function outcome(delivery: Delivery) {
  const { state, last_status, last_error, next_attempt_at } = delivery;
  if (state === "pending" && next_attempt_at) {
    const last = last_status ?? last_error;
    return (
      <>
        {words.next} <Ago at={next_attempt_at} />
        {last && ` · ${last}`}
      </>
    );
  }
  return [last_status, last_error].filter(Boolean).join(" · ");
}

function Replay(props: { delivery: Delivery; session: string }) {
  const { delivery, session } = props;
  const act = useReplay(delivery.id);
  return (
    <Button
      size="xs"
      variant="default"
      loading={act.isPending}
      onClick={() => act.mutate()}
      aria-label={words.replayOne(t.webhooks.events[delivery.event] ?? delivery.event, session)}
    >
      {words.replay}
    </Button>
  );
}
