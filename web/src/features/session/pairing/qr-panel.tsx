import { Button, List, Loader, Text, Title } from "@mantine/core";
import "@mantine/core/styles/List.css";
import { CircleCheck, Clock, PhoneOff } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { t } from "../../../texts";
import { countdown, phone } from "../../../ui/format";
import { ProblemAlert } from "../../../ui/loaded";
import { wordOf } from "../../../ui/session-state";
import type { Pairing } from "./pairing";
import classes from "./qr-panel.module.css";

/** What to scan, how long it lasts, and what became of it. */
export function QrPanel(props: {
  pairing: Pairing;
  /** What to do when it is linked. */
  onward: ReactNode;
  /** What to do when nobody scanned in time. */
  again: { text: string; action: string; onClick: () => void; error?: unknown; loading?: boolean };
}) {
  const { pairing, onward, again } = props;
  const texts = t.session.pairing;
  return (
    <div className={classes.panel} data-phase={pairing.phase}>
      <div className={classes.square}>
        {pairing.phase === "code" && <Code image={pairing.image} />}
        {pairing.phase === "waiting" && <Loader aria-hidden />}
        {pairing.phase === "linked" && (
          <CircleCheck className={classes.good} size={112} strokeWidth={1.5} aria-hidden />
        )}
        {pairing.phase === "ended" && (
          <Clock className={classes.quiet} size={72} strokeWidth={1.5} aria-hidden />
        )}
        {pairing.phase === "refused" && (
          <PhoneOff className={classes.quiet} size={72} strokeWidth={1.5} aria-hidden />
        )}
      </div>
      <div className={classes.words}>
        <div role="status" aria-live="polite">
          {pairing.phase === "waiting" && <Text>{pairing.lost ? pairing.lost.message : texts.waiting}</Text>}
          {pairing.phase === "linked" && (
            <>
              <Title order={2} size="h3" className={classes.good}>
                {texts.linked}
              </Title>
              <Text mt="xs">
                {pairing.number ? texts.linkedNumber(phone(pairing.number)) : texts.linkedPlain}
              </Text>
            </>
          )}
          {pairing.phase === "ended" && (
            <>
              <Title order={2} size="h3">
                {pairing.state === "stopped" ? texts.ended : wordOf(pairing.state)}
              </Title>
              <Text mt="xs">{pairing.reason ? texts.stoppedBy(pairing.reason) : again.text}</Text>
            </>
          )}
        </div>
        {pairing.phase === "code" && (
          <>
            <List type="ordered" spacing="xs">
              {texts.steps.map((step) => (
                <List.Item key={step}>{step}</List.Item>
              ))}
            </List>
            <Text c="dimmed" mt="md" size="sm">
              {pairing.lost ? texts.lost : <Countdown key={pairing.image} until={pairing.expiresAt} />}
            </Text>
          </>
        )}
        {pairing.phase === "linked" && <div className={classes.onward}>{onward}</div>}
        {pairing.phase === "ended" && (
          <div className={classes.onward}>
            <ProblemAlert error={again.error} />
            <Button onClick={again.onClick} loading={again.loading}>
              {again.action}
            </Button>
          </div>
        )}
        {pairing.phase === "refused" && <ProblemAlert error={pairing.problem} />}
      </div>
    </div>
  );
}

function Code({ image }: { image: string }) {
  return <img className={classes.code} src={image} alt={t.session.pairing.alt} width={288} height={288} />;
}

function Countdown({ until }: { until?: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  if (until === undefined || until <= now) return <>{t.session.pairing.waiting}</>;
  return (
    <>
      {t.session.pairing.renewsIn} <span className={classes.time}>{countdown((until - now) / 1000)}</span>
    </>
  );
}
