import { Button, NativeSelect, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { ArrowUp, MessageSquareDashed, SearchX } from "lucide-react";
import { useEffect, useState } from "react";
import { useLive } from "../../../api/live";
import { t } from "../../../texts";
import { LinkButton } from "../../../ui/links";
import { Loaded } from "../../../ui/loaded";
import { EmptyState } from "../../../ui/page";
import { type MessagesFilter, messagesRoute, sessionRoute } from "../routes";
import { MessageRow } from "./message-row";
import classes from "./messages-page.module.css";
import { messagesQuery } from "./messages-query";

/** Nearer to the top than this the newest messages show by themselves; further down they would move what is read. */
const AT_TOP_PX = 160;

/** Messages come by the hundred: looked at together. */
const GATHER_MS = 1_500;

/** What was sent and received, with what became of it. */
export function MessagesPage() {
  const { name } = sessionRoute.useParams();
  const filter = messagesRoute.useSearch();
  const messages = useInfiniteQuery(messagesQuery(name, filter));
  const [fresh, setFresh] = useState(false);
  const queries = useQueryClient();
  const look = () => {
    setFresh(false);
    void queries.invalidateQueries({ queryKey: messagesQuery(name, filter).queryKey });
  };
  const news = useDebouncedCallback(
    () => {
      if (window.scrollY < AT_TOP_PX) look();
      else setFresh(true);
    },
    { delay: GATHER_MS, maxWait: GATHER_MS * 2 },
  );
  useLive((event) => {
    if (event.event === "again" || event.session === name) news();
  });
  // A filter may let nothing of a page through although there is more behind it.
  const nothing = messages.data?.pages.every((page) => page.data.length === 0) ?? false;
  const { hasNextPage, isFetching, isError, fetchNextPage } = messages;
  useEffect(() => {
    if (nothing && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [nothing, hasNextPage, isFetching, isError, fetchNextPage]);
  return (
    <>
      <Filter filter={filter} />
      {fresh && (
        <Button
          className={classes.fresh}
          size="compact-md"
          radius="xl"
          leftSection={<ArrowUp size={16} aria-hidden />}
          onClick={() => {
            look();
            window.scrollTo({ top: 0, behavior: "smooth" });
          }}
        >
          {t.session.list.fresh}
        </Button>
      )}
      <Loaded query={messages} outline={<Outline />}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.data);
          if (nothing && hasNextPage) return <Text c="dimmed">{t.session.list.further}</Text>;
          if (rows.length === 0)
            return <Nothing name={name} filtered={Object.values(filter).some(Boolean)} />;
          return (
            <ul className={classes.list} aria-label={t.session.list.list}>
              {rows.map((message) => (
                <MessageRow key={message.id} session={name} message={message} />
              ))}
            </ul>
          );
        }}
      </Loaded>
      {messages.hasNextPage && !nothing && (
        <Button
          variant="default"
          fullWidth
          mt="md"
          loading={messages.isFetchingNextPage}
          onClick={() => void messages.fetchNextPage()}
        >
          {t.common.loadMore}
        </Button>
      )}
    </>
  );
}

function Filter({ filter }: { filter: MessagesFilter }) {
  const navigate = messagesRoute.useNavigate();
  const [chat, setChat] = useState(filter.chat ?? "");
  const put = (change: MessagesFilter) => {
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  };
  const putChat = useDebouncedCallback((chat: string) => put({ chat: chat || undefined }), 300);
  const texts = t.session.list;
  return (
    <search className={classes.filter}>
      <NativeSelect
        aria-label={texts.direction}
        value={filter.direction ?? ""}
        onChange={({ currentTarget: { value } }) => {
          put({ direction: value === "in" || value === "out" ? value : undefined });
        }}
        data={Object.entries(texts.directions).map(([value, label]) => ({ value, label }))}
      />
      <NativeSelect
        aria-label={texts.state}
        value={filter.state ?? ""}
        onChange={({ currentTarget: { value } }) => put({ state: value || undefined })}
        data={[
          { value: "", label: texts.anyState },
          ...(["queued", "sent", "delivered", "read", "failed"] as const).map((value) => ({
            value,
            label: texts.states[value],
          })),
        ]}
      />
      <TextInput
        className={classes.chat}
        aria-label={texts.chat}
        placeholder={texts.chatPlaceholder}
        value={chat}
        onChange={({ currentTarget: { value } }) => {
          setChat(value);
          putChat(value.trim());
        }}
      />
    </search>
  );
}

function Nothing(props: { name: string; filtered: boolean }) {
  if (props.filtered) {
    return <EmptyState icon={<SearchX size={40} aria-hidden />} {...t.session.list.nothingFound} />;
  }
  const { title, text, action } = t.session.list.empty;
  return (
    <EmptyState
      icon={<MessageSquareDashed size={40} aria-hidden />}
      title={title}
      text={text}
      action={
        <LinkButton to="/app/sessions/$name/send" params={{ name: props.name }}>
          {action}
        </LinkButton>
      }
    />
  );
}

function Outline() {
  return (
    <Stack gap={1}>
      {["a", "b", "c", "d", "e", "f"].map((key) => (
        <Skeleton key={key} height={72} radius={0} />
      ))}
    </Stack>
  );
}
