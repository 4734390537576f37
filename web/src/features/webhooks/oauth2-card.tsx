import { Button, Stack, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { apiUrl } from "../../base";
import { t } from "../../texts";
import { ProblemAlert } from "../../ui/loaded";
import { Badge, Card } from "../../ui/page";
import { Ago } from "../../ui/time";
import type { Authentication } from "./authentication-form";
import classes from "./webhooks.module.css";

const words = t.webhooks.oauth2;

/** Where the authorization server sends people back to: it must be allowed there. */
const redirectUri = apiUrl("/app/webhooks/oauth2-back");

/** Where people were sent last time, from this browser. */
const REMEMBERED = "oauth2-authorize-url";

/** Whether a token is held, and the two ways to get one. */
export function OAuth2Card(props: { now: Authentication }) {
  const { oauth2_has_token: held, oauth2_token_expiry: expiry } = props.now;
  return (
    <Card title={words.title}>
      <Stack>
        <Text component="div">
          {held ? (
            <>
              <Badge tone="good">{words.held}</Badge>{" "}
              {expiry && (
                <>
                  {words.until} <Ago at={new Date(expiry).toISOString()} />. {words.renews}
                </>
              )}
            </>
          ) : (
            words.notHeld
          )}
        </Text>
        <ClientCredentials />
        <ThroughTheBrowser />
      </Stack>
    </Card>
  );
}

function ClientCredentials() {
  const queries = useQueryClient();
  const obtain = useMutation({
    mutationFn: () => ask(api.POST("/dashboard/webhook-auth/oauth2-client-credentials")),
    onSuccess: async () => {
      notifications.show({ message: words.obtained });
      await queries.invalidateQueries({ queryKey: ["webhook-auth"] });
    },
  });
  return (
    <section>
      <Title order={3} size="h5">
        {words.clientTitle}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {words.clientText}
      </Text>
      <ProblemAlert error={obtain.error} />
      <Button variant="default" loading={obtain.isPending} onClick={() => obtain.mutate()}>
        {words.clientButton}
      </Button>
    </section>
  );
}

function ThroughTheBrowser() {
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { url: localStorage.getItem(REMEMBERED) ?? "" },
    validate: { url: (url) => (/^https?:\/\/./.test(url.trim()) ? null : words.needAuthorizeUrl) },
  });
  const begin = useMutation({
    mutationFn: async ({ url }: { url: string }) => {
      const body = { authorize_url: url.trim(), redirect_uri: redirectUri };
      const { data } = await ask(api.POST("/webhook/oauth2/authorize", { body }));
      localStorage.setItem(REMEMBERED, body.authorize_url);
      window.location.assign(data.url);
    },
  });
  return (
    <section>
      <Title order={3} size="h5">
        {words.codeTitle}
      </Title>
      <Text size="sm" c="dimmed">
        {words.codeText}
      </Text>
      <Text size="sm" mb="sm" className={classes.url}>
        <code>{redirectUri}</code>
      </Text>
      <form noValidate onSubmit={form.onSubmit((values) => begin.mutate(values))}>
        <ProblemAlert error={begin.error} />
        <Stack maw={560} align="start">
          <TextInput
            w="100%"
            type="url"
            label={words.authorizeUrl}
            placeholder="https://"
            key={form.key("url")}
            {...form.getInputProps("url")}
          />
          <Button type="submit" variant="default" loading={begin.isPending}>
            {words.codeButton}
          </Button>
        </Stack>
      </form>
    </section>
  );
}
