import { Autocomplete, Button, Group, Select, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDebouncedValue } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Dialog } from "../../ui/dialog";
import { ProblemAlert } from "../../ui/loaded";
import { type Runner, runnersQuery } from "./runners-query";

const words = t.admin.runners;
const ANYWHERE = "anywhere";
const SUGGESTIONS = 8;

export function MoveSession(props: { runners: Runner[]; onClose: () => void }) {
  const queries = useQueryClient();
  const form = useForm({
    initialValues: { session: "", runner: ANYWHERE },
    validate: { session: (session) => (session ? null : words.needSession) },
  });
  const [search] = useDebouncedValue(form.values.session, 250);
  const found = useQuery({
    queryKey: ["session-names", search],
    queryFn: ({ signal }) =>
      ask(api.GET("/sessions", { params: { query: { search, limit: SUGGESTIONS } }, signal })),
    placeholderData: keepPreviousData,
  });
  const move = useMutation({
    mutationFn: ({ session, runner }: typeof form.values) =>
      ask(
        api.POST("/admin/sessions/{name}/move", {
          params: { path: { name: session } },
          // The document says only that it is an object.
          body: (runner === ANYWHERE ? {} : { runner }) as Record<string, never>,
        }),
      ),
    onSuccess: async (_, { session }) => {
      notifications.show({ message: words.moved(session) });
      props.onClose();
      await queries.invalidateQueries(runnersQuery);
    },
  });
  const takers = props.runners.filter((runner) => !runner.draining);
  return (
    <Dialog onClose={props.onClose} title={words.move}>
      <form noValidate onSubmit={form.onSubmit((values) => move.mutate(values))}>
        <Stack>
          <Text size="sm" c="dimmed">
            {words.moveHint}
          </Text>
          <ProblemAlert error={move.error} />
          <Autocomplete
            label={words.session}
            placeholder={words.findSession}
            data-autofocus
            data={found.data?.data.map(({ name }) => name) ?? []}
            // The gateway has searched already.
            filter={({ options }) => options}
            {...form.getInputProps("session")}
          />
          <Select
            label={words.to}
            allowDeselect={false}
            data={[
              { value: ANYWHERE, label: words.anywhere },
              ...takers.map(({ id, name }) => ({ value: id, label: name })),
            ]}
            {...form.getInputProps("runner")}
          />
          <Group justify="end">
            <Button variant="default" onClick={props.onClose}>
              {t.common.cancel}
            </Button>
            <Button type="submit" loading={move.isPending}>
              {words.move}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
