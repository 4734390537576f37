import { Button, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { useState } from "react";
import { api, ask } from "../../api/client";
import type { AuditEntry } from "../../api/types";
import { t } from "../../texts";
import { Loaded } from "../../ui/loaded";
import { Card, EmptyState } from "../../ui/page";
import { Ago } from "../../ui/time";
import { WideTable } from "../../ui/wide-table";
import classes from "./admin.module.css";

const words = t.admin.audit;

export function AuditTab() {
  const [action, setAction] = useState<string | null>(null);
  const [typed, setTyped] = useState("");
  const [user] = useDebouncedValue(typed.trim(), 400);
  const filter = { user: user || undefined, action: action ?? undefined };
  const log = useInfiniteQuery({
    queryKey: ["audit", filter],
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET("/admin/audit", { params: { query: { ...filter, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  return (
    <Stack>
      <Group align="end" gap="sm">
        <TextInput
          flex="1 1 12rem"
          label={words.user}
          placeholder={words.anyUser}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <Select
          flex="1 1 14rem"
          label={words.action}
          placeholder={words.anyAction}
          clearable
          searchable
          data={Object.entries(words.actions).map(([value, label]) => ({ value, label: label ?? value }))}
          value={action}
          onChange={setAction}
        />
      </Group>
      <Loaded query={log}>
        {({ pages }) => {
          const entries = pages.flatMap((page) => page.data);
          if (entries.length === 0) {
            const narrowed = filter.user || filter.action;
            return narrowed ? (
              <EmptyState title={words.noneMatch} text="" />
            ) : (
              <EmptyState icon={<ScrollText size={40} aria-hidden />} {...words.empty} />
            );
          }
          return (
            <Card>
              <Stack>
                <Entries entries={entries} />
                {log.hasNextPage && (
                  <Button
                    variant="default"
                    loading={log.isFetchingNextPage}
                    onClick={() => void log.fetchNextPage()}
                  >
                    {t.common.loadMore}
                  </Button>
                )}
              </Stack>
            </Card>
          );
        }}
      </Loaded>
    </Stack>
  );
}

function Entries(props: { entries: AuditEntry[] }) {
  return (
    <WideTable
      label={words.list}
      head={
        <>
          <Table.Th>{words.when}</Table.Th>
          <Table.Th>{words.who}</Table.Th>
          <Table.Th>{words.what}</Table.Th>
          <Table.Th>{words.target}</Table.Th>
          <Table.Th>{words.from}</Table.Th>
        </>
      }
    >
      {props.entries.map((entry) => (
        <Table.Tr key={entry.id}>
          <Table.Td>
            <Ago at={entry.at} />
          </Table.Td>
          <Table.Td className={classes.long}>{entry.actor}</Table.Td>
          <Table.Td>{words.actions[entry.action] ?? entry.action}</Table.Td>
          <Table.Td className={classes.long}>
            {entry.target}
            {entry.detail && (
              <Text size="xs" c="dimmed">
                {entry.detail}
              </Text>
            )}
          </Table.Td>
          <Table.Td>{entry.address}</Table.Td>
        </Table.Tr>
      ))}
    </WideTable>
  );
}
