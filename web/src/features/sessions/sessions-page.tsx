import { Button, NativeSelect, Skeleton, Stack, TextInput } from "@mantine/core";
import { useDebouncedCallback, useDisclosure } from "@mantine/hooks";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Plus, Search, SearchX, Smartphone } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { t } from "../../texts";
import { count } from "../../ui/format";
import { LinkButton, TextLink } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { EmptyState, PageHeader } from "../../ui/page";
import { runnersQuery } from "../admin/runners-query";
import { useLoggedIn } from "../login/me";
import { useLiveSessions } from "./live-sessions";
import { sessionsRoute } from "./routes";
import { SessionList } from "./session-list";
import classes from "./sessions-page.module.css";
import { type Counts, countsQuery, NEEDS_PERSON, sessionsQuery } from "./sessions-query";

const CreateSession = lazy(() =>
  import("./create-session").then((module) => ({ default: module.CreateSession })),
);

export function SessionsPage() {
  const filter = sessionsRoute.useSearch();
  const sessions = useInfiniteQuery(sessionsQuery(filter));
  const [creating, dialog] = useDisclosure(false);
  useLiveSessions();
  const counts = useQuery(countsQuery).data;
  const create = (
    <Button leftSection={<Plus size={18} aria-hidden />} onClick={dialog.open}>
      {t.sessions.create}
    </Button>
  );
  return (
    <>
      <PageHeader title={t.sessions.title} about={<Summary counts={counts} />} aside={create} />
      {counts?.all !== 0 && <Filter counts={counts} />}
      <Narrowed />
      <Loaded query={sessions} outline={<Outline />}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.data);
          if (rows.length > 0) return <SessionList rows={rows} query={sessions} />;
          return Object.values(filter).some(Boolean) ? <NothingFound /> : <NoSessions action={create} />;
        }}
      </Loaded>
      {creating && (
        <Suspense>
          <CreateSession onClose={dialog.close} />
        </Suspense>
      )}
    </>
  );
}

function Summary({ counts }: { counts?: Counts }) {
  // The line is there from the start, so that nothing moves when the numbers come.
  if (!counts?.all) return <>&nbsp;</>;
  return (
    <>
      {t.sessions.connectedOf(count(counts.connected), count(counts.all))}
      {counts.needsPerson > 0 && (
        <>
          {" · "}
          <Link to="/app" search={{ state: NEEDS_PERSON }} className={classes.need}>
            {t.sessions.needSomebody(counts.needsPerson, count(counts.needsPerson))}
          </Link>
        </>
      )}
    </>
  );
}

function Filter({ counts }: { counts?: Counts }) {
  const { search, state } = sessionsRoute.useSearch();
  const [typed, setTyped] = useState(search ?? "");
  const [sought, setSought] = useState(search);
  // A link elsewhere on the page changed it.
  if (search !== sought) {
    setSought(search);
    if ((search ?? "") !== typed.trim()) setTyped(search ?? "");
  }
  const navigate = useNavigate({ from: "/app/" });
  const look = useDebouncedCallback((text: string) => {
    void navigate({ search: (before) => ({ ...before, search: text || undefined }), replace: true });
  }, 250);
  const named = (text: string, number?: number) =>
    number === undefined ? text : t.sessions.withCount(text, count(number));
  return (
    <search className={classes.filter}>
      <TextInput
        className={classes.search}
        aria-label={t.sessions.search}
        placeholder={t.sessions.search}
        leftSection={<Search size={16} aria-hidden />}
        type="search"
        value={typed}
        onChange={({ currentTarget }) => {
          setTyped(currentTarget.value);
          look(currentTarget.value.trim());
        }}
      />
      <NativeSelect
        aria-label={t.sessions.state}
        value={state ?? ""}
        onChange={({ currentTarget }) => {
          const chosen = currentTarget.value || undefined;
          void navigate({ search: (before) => ({ ...before, state: chosen }), replace: true });
        }}
        data={[
          { value: "", label: named(t.sessions.all, counts?.all) },
          { value: NEEDS_PERSON, label: named(t.sessions.needsPerson, counts?.needsPerson) },
          ...Object.entries(t.states.words).map(([value, word]) => ({
            value,
            label: value === "connected" ? named(word, counts?.connected) : word,
          })),
        ]}
      />
    </search>
  );
}

/** What a link from elsewhere has narrowed the list to. */
function Narrowed() {
  const { user, runner } = sessionsRoute.useSearch();
  const { is_admin } = useLoggedIn();
  const runners = useQuery({ ...runnersQuery, enabled: is_admin && runner !== undefined }).data;
  if (user === undefined && runner === undefined) return null;
  const name = runners?.find(({ id }) => id === runner)?.name ?? runner;
  return (
    <p className={classes.narrowed}>
      {name !== undefined && <span>{t.sessions.heldBy(name)}</span>}
      {user !== undefined && <span>{t.sessions.ownedBy(user)}</span>}
      <TextLink to="/app" search={({ search, state }) => ({ search, state })}>
        {t.sessions.everybodys}
      </TextLink>
    </p>
  );
}

function NoSessions(props: { action: React.ReactNode }) {
  const { title, text } = t.sessions.empty;
  return (
    <EmptyState icon={<Smartphone size={40} aria-hidden />} title={title} text={text} action={props.action} />
  );
}

function NothingFound() {
  const { title, text, clear } = t.sessions.nothingFound;
  const action = (
    <LinkButton variant="default" to="/app">
      {clear}
    </LinkButton>
  );
  return <EmptyState icon={<SearchX size={40} aria-hidden />} title={title} text={text} action={action} />;
}

function Outline() {
  return (
    <Stack gap={1}>
      {["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => (
        <Skeleton key={key} className={classes.outline} radius={0} />
      ))}
    </Stack>
  );
}
