import { Button, Group, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Loaded, ProblemAlert } from "../../ui/loaded";
import { Card } from "../../ui/page";
import { endpointsQuery } from "./endpoints";

/** The address that a user of the Node gateway knows: one, for everything. */
export function CallbackCard() {
  const info = useQuery({
    queryKey: ["session-info"],
    queryFn: async ({ signal }) => (await ask(api.GET("/dashboard/session-info", { signal }))).data,
  });
  return (
    <Card title={t.webhooks.callback.title}>
      <Text c="dimmed" size="sm" mb="sm">
        {t.webhooks.callback.about}
      </Text>
      <Loaded query={info}>{({ callback_url }) => <CallbackForm callback={callback_url ?? ""} />}</Loaded>
    </Card>
  );
}

function CallbackForm(props: { callback: string }) {
  const queries = useQueryClient();
  const form = useForm({ mode: "uncontrolled", initialValues: { callback: props.callback } });
  const save = useMutation({
    mutationFn: ({ callback }: { callback: string }) =>
      ask(api.PUT("/dashboard/callback", { body: { callback_url: callback.trim() || null } })),
    onSuccess: async () => {
      notifications.show({ message: t.webhooks.callback.saved });
      await queries.invalidateQueries({ queryKey: ["session-info"] });
      await queries.invalidateQueries(endpointsQuery);
    },
  });
  return (
    <form noValidate onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <ProblemAlert error={save.error} />
      <Group align="end" gap="sm">
        <TextInput
          flex="1 1 16rem"
          type="url"
          name="callback"
          label={t.webhooks.callback.label}
          placeholder="https://"
          maxLength={2048}
          key={form.key("callback")}
          {...form.getInputProps("callback")}
        />
        <Button type="submit" variant="default" loading={save.isPending}>
          {t.common.save}
        </Button>
      </Group>
    </form>
  );
}
