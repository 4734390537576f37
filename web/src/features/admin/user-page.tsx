import { Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { BackLink } from "../../ui/back-link";
import { TextLink } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { Badge, Card, EmptyState, PageHeader } from "../../ui/page";
import { StateBadge } from "../../ui/session-state";
import { Ago } from "../../ui/time";
import { AuthenticationForm, type SetAuthentication } from "../webhooks/authentication-form";
import classes from "./admin.module.css";
import { DeleteUser } from "./delete-user";
import { PasswordForm, UserSettingsForm } from "./user-forms";
import { type User, usersQuery } from "./users";

const words = t.admin.user;
const SESSIONS = 100;

export function UserPage() {
  const { id } = useParams({ from: "/app/admin/users/$id" });
  const users = useQuery(usersQuery);
  return (
    <>
      <BackLink to="/app/admin/users">{t.admin.tabs.users}</BackLink>
      <Loaded query={users}>
        {(list) => {
          const user = list.find((one) => String(one.id) === id);
          return user ? <Shown key={user.id} user={user} /> : <EmptyState {...words.notFound} />;
        }}
      </Loaded>
    </>
  );
}

function Shown(props: { user: User }) {
  const { user } = props;
  const admin = user.is_admin === 1;
  return (
    <>
      <PageHeader
        title={user.username}
        aside={
          <Badge tone={admin ? "good" : "off"}>{admin ? t.admin.users.admin : t.admin.users.user}</Badge>
        }
      />
      <Stack>
        <Card
          title={words.sessions}
          aside={
            <TextLink size="sm" to="/app" search={{ user: user.username }}>
              {words.allSessions}
            </TextLink>
          }
        >
          <Sessions username={user.username} />
        </Card>
        {admin ? (
          <Text c="dimmed">{words.adminAuth}</Text>
        ) : (
          <>
            <Card title={words.webhooks}>
              <UserSettingsForm user={user} />
            </Card>
            <Card title={words.auth}>
              <Authentication user={user} />
            </Card>
            <Card title={words.password}>
              <PasswordForm user={user} />
            </Card>
            <DeleteUser user={user} />
          </>
        )}
      </Stack>
    </>
  );
}

function Sessions(props: { username: string }) {
  const { username } = props;
  const sessions = useQuery({
    queryKey: ["sessions-of", username],
    queryFn: ({ signal }) =>
      ask(api.GET("/sessions", { params: { query: { user: username, limit: SESSIONS } }, signal })),
    refetchInterval: 5_000,
  });
  return (
    <Loaded query={sessions}>
      {({ data }) =>
        data.length === 0 ? (
          <Text c="dimmed">{words.noSessions}</Text>
        ) : (
          <ul className={classes.rows}>
            {data.map((session) => (
              <li key={session.name}>
                <div className={classes.who}>
                  <TextLink to="/app/sessions/$name" params={{ name: session.name }}>
                    {session.name}
                  </TextLink>
                </div>
                <div className={classes.badge}>
                  <StateBadge state={session.state} />
                </div>
                <Text size="sm" c="dimmed">
                  <Ago at={session.since} />
                </Text>
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}

function Authentication(props: { user: User }) {
  const { user } = props;
  const queries = useQueryClient();
  const save = async (body: SetAuthentication) => {
    await ask(api.PUT("/admin/users/{id}/webhook-auth", { params: { path: { id: user.id } }, body }));
    await queries.invalidateQueries(usersQuery);
  };
  return <AuthenticationForm now={{ auth_type: user.webhook_auth_type }} onSave={save} />;
}
