import { Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { ProblemAlert } from "../../ui/loaded";
import { type User, usersQuery } from "./users";

const words = t.admin.user;

/** A new password for a user. */
export function PasswordForm(props: { user: User }) {
  const { id } = props.user;
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { password: "" },
    validate: { password: (password) => (password.length >= 4 ? null : t.admin.users.shortPassword) },
  });
  const set = useMutation({
    mutationFn: (body: { password: string }) =>
      ask(api.PUT("/admin/users/{id}/password", { params: { path: { id } }, body })),
    onSuccess: () => {
      notifications.show({ message: words.passwordSet });
      form.reset();
    },
  });
  return (
    <form noValidate onSubmit={form.onSubmit((values) => set.mutate(values))}>
      <ProblemAlert error={set.error} />
      <Text size="sm" c="dimmed" mb="sm">
        {words.passwordAbout}
      </Text>
      <Group align="end" gap="sm">
        <PasswordInput
          flex="0 1 20rem"
          label={words.newPassword}
          autoComplete="new-password"
          key={form.key("password")}
          {...form.getInputProps("password")}
        />
        <Button type="submit" variant="default" loading={set.isPending}>
          {words.setPassword}
        </Button>
      </Group>
    </form>
  );
}

/** What a user's session is called, and where their webhooks go. */
export function UserSettingsForm(props: { user: User }) {
  const { user } = props;
  const queries = useQueryClient();
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { session: user.session_name, callback: user.callback_url ?? "" },
  });
  const save = useMutation({
    mutationFn: ({ session, callback }: typeof form.values) =>
      ask(
        api.PUT("/admin/users/{id}/session-config", {
          params: { path: { id: user.id } },
          body: { session_name: session.trim() || undefined, callback_url: callback.trim() || null },
        }),
      ),
    onSuccess: async () => {
      notifications.show({ message: words.saved });
      await queries.invalidateQueries(usersQuery);
    },
  });
  return (
    <form noValidate onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack maw={560}>
        <ProblemAlert error={save.error} />
        <TextInput
          label={words.sessionName}
          maxLength={128}
          key={form.key("session")}
          {...form.getInputProps("session")}
        />
        <TextInput
          label={words.callback}
          description={words.callbackHint}
          type="url"
          placeholder="https://"
          maxLength={2048}
          key={form.key("callback")}
          {...form.getInputProps("callback")}
        />
        <Group>
          <Button type="submit" variant="default" loading={save.isPending}>
            {t.common.save}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
