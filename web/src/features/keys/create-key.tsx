import "@mantine/core/styles/Checkbox.css";
import { Button, Checkbox, Group, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Dialog } from "../../ui/dialog";
import { ProblemAlert } from "../../ui/loaded";
import { useLoggedIn } from "../login/me";

const SCOPES = [
  "messages:send",
  "messages:read",
  "sessions:read",
  "sessions:write",
  "webhooks:read",
  "webhooks:write",
];
const DAYS = [30, 90, 365];
const NEVER = "never";

export function CreateKey(props: { onClose: () => void; onCreated: (secret: string) => void }) {
  const me = useLoggedIn();
  const queries = useQueryClient();
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { name: "", scopes: ["messages:send", "messages:read"], expires: NEVER },
    validate: {
      name: (name) => (name.trim() ? null : t.keys.needName),
      scopes: (scopes) => (scopes.length > 0 ? null : t.keys.needScope),
    },
  });
  const create = useMutation({
    mutationFn: async ({ name, scopes, expires }: typeof form.values) => {
      const expires_in_days = expires === NEVER ? undefined : Number(expires);
      const { data } = await ask(
        api.POST("/api-keys", { body: { name: name.trim(), scopes, expires_in_days } }),
      );
      return data.key;
    },
    onSuccess: async (secret) => {
      props.onClose();
      props.onCreated(secret);
      await queries.invalidateQueries({ queryKey: ["api-keys"] });
    },
  });
  return (
    <Dialog onClose={props.onClose} title={t.keys.create}>
      <form noValidate onSubmit={form.onSubmit((values) => create.mutate(values))}>
        <Stack>
          <ProblemAlert error={create.error} />
          <TextInput
            label={t.keys.name}
            description={t.keys.nameHint}
            maxLength={100}
            data-autofocus
            key={form.key("name")}
            {...form.getInputProps("name")}
          />
          <Checkbox.Group label={t.keys.scopes} key={form.key("scopes")} {...form.getInputProps("scopes")}>
            <Stack gap="xs" mt="xs">
              {[...SCOPES, ...(me.is_admin ? ["admin"] : [])].map((scope) => (
                <Checkbox key={scope} value={scope} label={t.keys.scopeWords[scope] ?? scope} />
              ))}
            </Stack>
          </Checkbox.Group>
          <Select
            label={t.keys.expires}
            allowDeselect={false}
            data={[
              { value: NEVER, label: t.keys.never },
              ...DAYS.map((days) => ({ value: String(days), label: t.keys.inDays(days) })),
            ]}
            key={form.key("expires")}
            {...form.getInputProps("expires")}
          />
          <Group justify="end">
            <Button variant="default" onClick={props.onClose}>
              {t.common.cancel}
            </Button>
            <Button type="submit" loading={create.isPending}>
              {t.common.create}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
