import { Button, Group, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Dialog } from "../../ui/dialog";
import { ProblemAlert } from "../../ui/loaded";
import { usersQuery } from "./users";

const words = t.admin.users;

export function CreateUser(props: { onClose: () => void }) {
  const queries = useQueryClient();
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { username: "", password: "" },
    validate: {
      username: (name) => (name.trim().length >= 3 ? null : words.shortName),
      password: (password) => (password.length >= 4 ? null : words.shortPassword),
    },
  });
  const create = useMutation({
    mutationFn: ({ username, password }: typeof form.values) =>
      ask(api.POST("/admin/users", { body: { username: username.trim(), password } })),
    onSuccess: async ({ data }) => {
      notifications.show({ message: words.created(data.username) });
      props.onClose();
      await queries.invalidateQueries(usersQuery);
    },
  });
  return (
    <Dialog onClose={props.onClose} title={words.create}>
      <form noValidate onSubmit={form.onSubmit((values) => create.mutate(values))}>
        <Stack>
          <ProblemAlert error={create.error} />
          <TextInput
            label={words.username}
            description={words.usernameHint}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={64}
            data-autofocus
            key={form.key("username")}
            {...form.getInputProps("username")}
          />
          <PasswordInput
            label={words.password}
            description={words.passwordHint}
            autoComplete="new-password"
            key={form.key("password")}
            {...form.getInputProps("password")}
          />
          <Group justify="end">
            <Button variant="default" onClick={props.onClose}>
              {t.common.cancel}
            </Button>
            <Button type="submit" loading={create.isPending}>
              {words.create}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
