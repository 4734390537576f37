import { Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../../api/client";
import { Problem } from "../../api/problem";
import { t } from "../../texts";
import { LinkButton } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { Badge, Card, PageHeader } from "../../ui/page";

const words = t.webhooks.oauth2.back;

/** Where the authorization server sends people back to: hands the code on, once. */
export function OAuth2BackPage() {
  // As it was when the page opened, and as it stands there: a code may look like a number.
  const [said] = useState(() => new URLSearchParams(window.location.search));
  const exchange = useQuery({
    queryKey: ["oauth2-exchange", said.get("state")],
    queryFn: () => exchanged(said),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  return (
    <>
      <PageHeader title={words.title} />
      <Card>
        <Stack align="start">
          <Loaded query={exchange} outline={<Text>{words.working}</Text>}>
            {() => <Badge tone="good">{words.done}</Badge>}
          </Loaded>
          <LinkButton variant="default" to="/app/webhooks/authentication" replace>
            {words.on}
          </LinkButton>
        </Stack>
      </Card>
    </>
  );
}

async function exchanged(said: URLSearchParams): Promise<true> {
  const [code, state] = [said.get("code"), said.get("state")];
  const refusal = said.get("error_description") ?? said.get("error");
  if (refusal) throw new Problem(400, "refused", `${words.refused}: ${refusal}`);
  if (!code || !state) throw new Problem(400, "incomplete", words.incomplete);
  await ask(api.POST("/dashboard/webhook-auth/oauth2-token", { body: { code, state } }));
  return true;
}
