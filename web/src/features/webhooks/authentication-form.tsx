import { Button, Group, PasswordInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { components } from "../../api/schema";
import { t } from "../../texts";
import { ProblemAlert } from "../../ui/loaded";

const words = t.webhooks.auth;

export type Authentication = components["schemas"]["WebhookAuthBody"];
export type SetAuthentication = components["schemas"]["SetWebhookAuth"];

const TYPES = ["none", "basic", "bearer", "oauth2"];

/** The settings of one kind of authentication. Secrets are never shown, and stay when nothing is typed. */
export function AuthenticationForm(props: {
  now: Partial<Authentication> & Pick<Authentication, "auth_type">;
  onSave: (body: SetAuthentication) => Promise<void>;
}) {
  const { now } = props;
  const form = useForm({
    initialValues: {
      auth_type: now.auth_type,
      auth_username: now.auth_username ?? "",
      auth_password: "",
      auth_bearer_token: "",
      oauth2_client_id: now.oauth2_client_id ?? "",
      oauth2_client_secret: "",
      oauth2_token_url: now.oauth2_token_url ?? "",
      oauth2_scope: now.oauth2_scope ?? "",
    },
  });
  const save = useMutation({
    mutationFn: (values: typeof form.values) => props.onSave(asked(values)),
    onSuccess: () => {
      notifications.show({ message: words.saved });
      form.setValues({ auth_password: "", auth_bearer_token: "", oauth2_client_secret: "" });
    },
  });
  const type = form.values.auth_type;
  const secret = { autoComplete: "new-password", description: words.kept } as const;
  const plain = { autoComplete: "off", autoCapitalize: "none", spellCheck: false } as const;
  const fields: Record<string, ReactNode> = {
    basic: (
      <>
        <TextInput label={words.username} {...plain} {...form.getInputProps("auth_username")} />
        <PasswordInput label={words.password} {...secret} {...form.getInputProps("auth_password")} />
      </>
    ),
    bearer: (
      <PasswordInput
        label={words.token}
        {...secret}
        description={now.auth_bearer_token ? words.keptToken(now.auth_bearer_token) : words.kept}
        {...form.getInputProps("auth_bearer_token")}
      />
    ),
    oauth2: (
      <>
        <TextInput label={words.clientId} {...plain} {...form.getInputProps("oauth2_client_id")} />
        <PasswordInput
          label={words.clientSecret}
          {...secret}
          {...form.getInputProps("oauth2_client_secret")}
        />
        <TextInput
          label={words.tokenUrl}
          type="url"
          placeholder="https://"
          {...form.getInputProps("oauth2_token_url")}
        />
        <TextInput
          label={words.scope}
          description={words.scopeHint}
          {...plain}
          {...form.getInputProps("oauth2_scope")}
        />
      </>
    ),
  };
  return (
    <form noValidate onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack maw={560}>
        <ProblemAlert error={save.error} />
        <Select
          label={words.type}
          data={TYPES.map((value) => ({ value, label: words.types[value] ?? value }))}
          allowDeselect={false}
          {...form.getInputProps("auth_type")}
        />
        <Text size="sm" c="dimmed">
          {words.typeHints[type]}
        </Text>
        {fields[type]}
        <Group>
          <Button type="submit" loading={save.isPending}>
            {t.common.save}
          </Button>
          {now.oauth2_has_token && (
            <Text size="sm" c="dimmed">
              {words.drops}
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  );
}

type Values = Record<keyof SetAuthentication, string>;

/** Only what belongs to the kind that is chosen: the others stay as they are. */
function asked(values: Values): SetAuthentication {
  const { auth_type } = values;
  const belongs: Record<string, (keyof SetAuthentication)[]> = {
    basic: ["auth_username", "auth_password"],
    bearer: ["auth_bearer_token"],
    oauth2: ["oauth2_client_id", "oauth2_client_secret", "oauth2_token_url", "oauth2_scope"],
  };
  const body: SetAuthentication = { auth_type };
  for (const name of belongs[auth_type] ?? []) {
    const secret = ["auth_password", "auth_bearer_token", "oauth2_client_secret"].includes(name);
    // A secret is sent as it was typed.
    const value = secret ? values[name] : values[name].trim();
    if (value || !secret) body[name] = value;
  }
  return body;
}
