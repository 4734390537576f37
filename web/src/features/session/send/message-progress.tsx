import { Alert, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Check, Circle } from "lucide-react";
import { api, ask } from "../../../api/client";
import type { Failure } from "../../../api/types";
import { t } from "../../../texts";
import { failureInWords } from "../messages/message-words";
import classes from "./send-page.module.css";

const STEPS = ["queued", "sent", "delivered", "read"] as const;

const LOOK_AGAIN_MS = 1_500;

/** How often to look before it is left alone: the list of messages tells the rest. */
const LOOKS = 120;

/** How far a message has come, as it comes. */
export function MessageProgress(props: { id: string; onAnother: () => void }) {
  const message = useQuery({
    queryKey: ["message", props.id],
    queryFn: async ({ signal }) => {
      const params = { path: { id: props.id } };
      return (await ask(api.GET("/message/{id}", { params, signal }))).data;
    },
    refetchInterval: ({ state }) => {
      const over = state.data?.state === "read" || state.data?.state === "failed";
      return over || state.dataUpdateCount > LOOKS ? false : LOOK_AGAIN_MS;
    },
  });
  const state = message.data?.state ?? "queued";
  const reached = (STEPS as readonly string[]).indexOf(state);
  const texts = t.session.form;
  const failure = message.data?.failure as Failure | null | undefined;
  return (
    <div role="status" aria-live="polite">
      {state === "failed" ? (
        <Alert color="red" title={texts.failedTitle}>
          {failureInWords(failure?.code, failure?.reason)}
        </Alert>
      ) : (
        <>
          <Text fw={600} mb="sm">
            {texts.result}
          </Text>
          <ol className={classes.steps}>
            {STEPS.map((step, index) => (
              <li key={step} data-reached={index <= reached || undefined}>
                {index <= reached ? <Check size={16} aria-hidden /> : <Circle size={16} aria-hidden />}
                {texts.steps[step]}
              </li>
            ))}
          </ol>
          {state === "queued" && message.isSuccess && <Text c="dimmed">{texts.queuedText}</Text>}
        </>
      )}
      <Group mt="md">
        <Button variant="default" onClick={props.onAnother}>
          {texts.again}
        </Button>
      </Group>
    </div>
  );
}
