import { Group, Loader, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import type { components } from "../../api/schema";
import { t } from "../../texts";
import { Dialog } from "../../ui/dialog";
import { duration } from "../../ui/format";
import { Loaded } from "../../ui/loaded";
import { Badge } from "../../ui/page";
import classes from "./webhooks.module.css";

const words = t.webhooks.test;

/** Sends one test when it opens, and shows what came of it. */
export function EndpointTest(props: { id: string; onClose: () => void }) {
  const { id } = props;
  const test = useQuery({
    queryKey: ["endpoint-test", id],
    queryFn: async () =>
      (await ask(api.POST("/webhook/endpoints/{id}/test", { params: { path: { id } } }))).data,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const running = (
    <Group>
      <Loader size="sm" aria-hidden />
      <Text>{words.running}</Text>
    </Group>
  );
  return (
    <Dialog onClose={props.onClose} title={words.title}>
      <Loaded query={test} outline={running}>
        {(outcome) => <Outcome outcome={outcome} />}
      </Loaded>
    </Dialog>
  );
}

function Outcome(props: { outcome: components["schemas"]["TestBody"] }) {
  const { delivered, status, duration_ms, answer, error } = props.outcome;
  const took = duration(duration_ms);
  const said = answer || error;
  return (
    <Stack role="status">
      <div>
        <Badge tone={delivered ? "good" : "bad"}>
          {delivered
            ? words.delivered(status ?? 200, took)
            : status
              ? words.answered(status, took)
              : words.failed(took)}
        </Badge>
      </div>
      {said && (
        <div>
          <Text size="sm" c="dimmed" mb={4}>
            {answer ? words.body : t.problems.title}
          </Text>
          <pre className={classes.answer}>{said}</pre>
        </div>
      )}
    </Stack>
  );
}
