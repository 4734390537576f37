import { Button, Group, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Plus, Webhook } from "lucide-react";
import { useState } from "react";
import { t } from "../../texts";
import { Loaded } from "../../ui/loaded";
import { EmptyState } from "../../ui/page";
import { ShownOnce } from "../../ui/shown-once";
import { CallbackCard } from "./callback-card";
import { EndpointCard } from "./endpoint-card";
import { EndpointForm } from "./endpoint-form";
import { endpointsQuery } from "./endpoints";

export function EndpointsTab() {
  const endpoints = useQuery(endpointsQuery);
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const add = (
    <Button leftSection={<Plus size={18} aria-hidden />} onClick={() => setAdding(true)}>
      {t.webhooks.endpoints.add}
    </Button>
  );
  return (
    <Stack>
      <CallbackCard />
      <Loaded query={endpoints}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState
              icon={<Webhook size={40} aria-hidden />}
              title={t.webhooks.endpoints.empty.title}
              text={t.webhooks.endpoints.empty.text}
              action={add}
            />
          ) : (
            <Stack>
              <Group justify="end">{add}</Group>
              {list.map((endpoint) => (
                <EndpointCard key={endpoint.id} endpoint={endpoint} onSecret={setSecret} />
              ))}
            </Stack>
          )
        }
      </Loaded>
      {adding && <EndpointForm onClose={() => setAdding(false)} onSecret={setSecret} />}
      <ShownOnce
        secret={secret}
        title={t.webhooks.secret.title}
        text={t.webhooks.secret.text}
        onClose={() => setSecret(null)}
      />
    </Stack>
  );
}
