import { Group, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { t } from "../../texts";
import { endpointsQuery } from "./endpoints";
import type { DeliveryFilter } from "./routes";

const words = t.webhooks.deliveries;
const STATES = ["pending", "delivered", "dead"];

/** What narrows the list; it is part of the address, so that it can be passed on. */
export function DeliveryFilters(props: {
  filter: DeliveryFilter;
  onChange: (filter: DeliveryFilter) => void;
  aside: ReactNode;
}) {
  const { filter, onChange } = props;
  const endpoints = useQuery(endpointsQuery);
  const typed = useDebouncedCallback((session: string) => {
    onChange({ ...filter, session: session.trim() || undefined });
  }, 400);
  const known = endpoints.data?.map(({ id, url }) => ({ value: id, label: url })) ?? [];
  const chosen = filter.endpoint;
  const all =
    chosen && !known.some(({ value }) => value === chosen)
      ? [...known, { value: chosen, label: chosen }]
      : known;
  return (
    <Group align="end" gap="sm">
      <Select
        flex="1 1 9rem"
        label={words.state}
        placeholder={words.any}
        clearable
        data={STATES.map((state) => ({ value: state, label: words.states[state] ?? state }))}
        value={filter.state ?? null}
        onChange={(state) => onChange({ ...filter, state: state ?? undefined })}
      />
      <Select
        flex="2 1 14rem"
        label={words.endpoint}
        placeholder={words.anyEndpoint}
        clearable
        data={all}
        value={chosen ?? null}
        onChange={(endpoint) => onChange({ ...filter, endpoint: endpoint ?? undefined })}
      />
      <TextInput
        flex="1 1 11rem"
        // Another filter, from a link: another field.
        key={filter.session === undefined ? "none" : "some"}
        label={words.session}
        placeholder={words.sessionPlaceholder}
        defaultValue={filter.session ?? ""}
        onChange={(event) => typed(event.currentTarget.value)}
      />
      {props.aside}
    </Group>
  );
}
