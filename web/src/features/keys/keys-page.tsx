import { Button, Stack, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api, ask } from "../../api/client";
import type { ApiKey } from "../../api/types";
import { t } from "../../texts";
import { Confirm } from "../../ui/confirm";
import { Loaded } from "../../ui/loaded";
import { Badge, Card, EmptyState, PageHeader } from "../../ui/page";
import { ShownOnce } from "../../ui/shown-once";
import { Ago, useNow } from "../../ui/time";
import { WideTable } from "../../ui/wide-table";
import { CreateKey } from "./create-key";
import classes from "./keys.module.css";

export function KeysPage() {
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const queries = useQueryClient();
  const keys = useInfiniteQuery({
    queryKey: ["api-keys"],
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET("/api-keys", { params: { query: { cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
  const create = (
    <Button leftSection={<Plus size={18} aria-hidden />} onClick={() => setCreating(true)}>
      {t.keys.create}
    </Button>
  );
  const revoke = async () => {
    await ask(api.DELETE("/api-keys/{id}", { params: { path: { id: revoking?.id ?? "" } } }));
    notifications.show({ message: t.keys.revoked });
    await queries.invalidateQueries({ queryKey: ["api-keys"] });
  };
  return (
    <>
      <PageHeader title={t.keys.title} about={t.keys.about} aside={create} />
      <Loaded query={keys}>
        {({ pages }) => {
          const list = pages.flatMap((page) => page.data);
          if (list.length === 0) {
            return (
              <EmptyState
                icon={<KeyRound size={40} aria-hidden />}
                title={t.keys.empty.title}
                text={t.keys.empty.text}
              />
            );
          }
          return (
            <Card>
              <Stack>
                <KeyTable keys={list} onRevoke={setRevoking} />
                {keys.hasNextPage && (
                  <Button
                    variant="default"
                    loading={keys.isFetchingNextPage}
                    onClick={() => void keys.fetchNextPage()}
                  >
                    {t.common.loadMore}
                  </Button>
                )}
              </Stack>
            </Card>
          );
        }}
      </Loaded>
      {creating && <CreateKey onClose={() => setCreating(false)} onCreated={setSecret} />}
      <ShownOnce
        secret={secret}
        title={t.keys.shown.title}
        text={t.keys.shown.text}
        onClose={() => setSecret(null)}
      />
      <Confirm
        opened={revoking !== null}
        onClose={() => setRevoking(null)}
        title={t.keys.confirm.title}
        text={t.keys.confirm.text(revoking?.name ?? "")}
        action={t.keys.revoke}
        danger
        onConfirm={revoke}
      />
    </>
  );
}

function KeyTable(props: { keys: ApiKey[]; onRevoke: (key: ApiKey) => void }) {
  const now = useNow();
  return (
    <WideTable
      label={t.keys.title}
      head={
        <>
          <Table.Th>{t.keys.name}</Table.Th>
          <Table.Th>{t.keys.scopes}</Table.Th>
          <Table.Th>{t.keys.lastUsed}</Table.Th>
          <Table.Th>{t.keys.expires}</Table.Th>
          <Table.Th>{t.keys.createdAt}</Table.Th>
          <Table.Td />
        </>
      }
    >
      {props.keys.map((key) => (
        <Table.Tr key={key.id}>
          <Table.Th scope="row" fw={550} className={classes.name}>
            {key.name}
            <Text size="xs" c="dimmed" component="code" display="block">
              {key.prefix}…
            </Text>
          </Table.Th>
          <Table.Td>
            <ul className={classes.scopes}>
              {key.scopes.map((scope) => (
                <li key={scope}>{t.keys.scopeWords[scope] ?? scope}</li>
              ))}
            </ul>
          </Table.Td>
          <Table.Td>
            <Ago at={key.last_used_at} />
          </Table.Td>
          <Table.Td>
            {key.expires_at && Date.parse(key.expires_at) < now ? (
              <Badge tone="off">{t.keys.expired}</Badge>
            ) : (
              <Ago at={key.expires_at} otherwise={t.keys.never} />
            )}
          </Table.Td>
          <Table.Td>
            <Ago at={key.created_at} />
          </Table.Td>
          <Table.Td ta="right">
            <Button
              size="xs"
              variant="default"
              onClick={() => props.onRevoke(key)}
              aria-label={t.keys.revokeThis(key.name)}
            >
              {t.keys.revoke}
            </Button>
          </Table.Td>
        </Table.Tr>
      ))}
    </WideTable>
  );
}
