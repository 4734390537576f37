import "@mantine/core/styles/Checkbox.css";
import { Button, Checkbox, Group, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { asProblem, problemOf } from "../../api/problem";
import { t } from "../../texts";
import { Dialog } from "../../ui/dialog";
import { Loaded, ProblemAlert } from "../../ui/loaded";
import { type Endpoint, EVENTS, endpointsQuery } from "./endpoints";

const words = t.webhooks.form;

/** Makes an endpoint, or changes the one with `id`: as it is at the gateway when this opens, whatever a list said before. */
export function EndpointForm(props: {
  id?: string;
  onClose: () => void;
  onSecret?: (secret: string) => void;
}) {
  const { id } = props;
  const now = useQuery({
    queryKey: ["endpoint", id],
    queryFn: () => read(id ?? ""),
    enabled: id !== undefined,
    gcTime: 0,
    // What is typed is not to be replaced under the typing.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  return (
    <Dialog onClose={props.onClose} title={id ? words.edit : words.create}>
      {id ? (
        <Loaded query={now}>
          {({ endpoint, version }) => (
            <Fields
              // Asked for again after somebody else changed it: another form.
              key={now.dataUpdatedAt}
              endpoint={endpoint}
              version={version}
              onAgain={() => void now.refetch()}
              {...props}
            />
          )}
        </Loaded>
      ) : (
        <Fields {...props} />
      )}
    </Dialog>
  );
}

/** An endpoint, and which version of it this is. */
async function read(id: string): Promise<{ endpoint: Endpoint; version: string | null }> {
  const got = await api.GET("/webhook/endpoints/{id}", { params: { path: { id } } });
  if (!got.data) throw problemOf(got.response, got.error);
  return { endpoint: got.data.data, version: got.response.headers.get("etag") };
}

interface Values {
  url: string;
  description: string;
  events: string[];
}

function Fields(props: {
  endpoint?: Endpoint;
  version?: string | null;
  onAgain?: () => void;
  onClose: () => void;
  onSecret?: (secret: string) => void;
}) {
  const { endpoint } = props;
  const queries = useQueryClient();
  const form = useForm<Values>({
    mode: "uncontrolled",
    initialValues: {
      url: endpoint?.url ?? "",
      description: endpoint?.description ?? "",
      events: endpoint?.events ?? ["message", "session"],
    },
    validate: {
      url: (url) => (/^https?:\/\/./.test(url.trim()) ? null : words.needUrl),
      events: (events) => (events.length > 0 ? null : words.oneEvent),
    },
  });
  const save = useMutation({
    mutationFn: (values: Values) => write(values, endpoint, props.version),
    onSuccess: async (secret) => {
      await queries.invalidateQueries(endpointsQuery);
      if (endpoint) notifications.show({ message: t.webhooks.endpoints.changed });
      if (secret) props.onSecret?.(secret);
      props.onClose();
    },
  });
  const own = !endpoint || endpoint.kind === "custom";
  const meanwhile = save.error && asProblem(save.error).code === "changed_meanwhile";
  return (
    <form noValidate onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Stack>
        <ProblemAlert
          error={save.error}
          action={
            meanwhile && (
              <Button size="xs" variant="default" onClick={props.onAgain}>
                {words.now}
              </Button>
            )
          }
        />
        {own ? (
          <TextInput
            label={words.url}
            description={words.urlHint}
            type="url"
            placeholder="https://"
            data-autofocus
            maxLength={2048}
            key={form.key("url")}
            {...form.getInputProps("url")}
          />
        ) : (
          <Text size="sm" c="dimmed">
            {words.otherwise}
          </Text>
        )}
        <TextInput
          label={words.description}
          description={words.descriptionHint}
          maxLength={200}
          key={form.key("description")}
          {...form.getInputProps("description")}
        />
        {own && (
          <Checkbox.Group label={words.events} key={form.key("events")} {...form.getInputProps("events")}>
            <Stack gap="xs" mt="xs">
              {EVENTS.map((event) => (
                <Checkbox
                  key={event}
                  value={event}
                  label={t.webhooks.events[event]}
                  description={words.eventHints[event]}
                />
              ))}
            </Stack>
          </Checkbox.Group>
        )}
        <Group justify="end">
          <Button variant="default" onClick={props.onClose}>
            {t.common.cancel}
          </Button>
          <Button type="submit" loading={save.isPending}>
            {endpoint ? t.common.save : t.common.create}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Resolves to the secret of an endpoint that is new. */
async function write(
  values: Values,
  endpoint?: Endpoint,
  version?: string | null,
): Promise<string | undefined> {
  const url = values.url.trim();
  const { description, events } = values;
  if (!endpoint) {
    const created = await ask(api.POST("/webhook/endpoints", { body: { url, description, events } }));
    return created.data.secret;
  }
  await ask(
    api.PUT("/webhook/endpoints/{id}", {
      params: { path: { id: endpoint.id } },
      headers: version ? { "If-Match": version } : {},
      body: endpoint.kind === "custom" ? { url, description, events } : { description },
    }),
  );
  return undefined;
}
