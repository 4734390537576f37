import { Button, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { UserPlus, Users } from "lucide-react";
import { useState } from "react";
import { t } from "../../texts";
import { Loaded } from "../../ui/loaded";
import { Badge, Card, EmptyState } from "../../ui/page";
import { Ago } from "../../ui/time";
import { VirtualRows } from "../../ui/virtual-rows";
import { CreateUser } from "./create-user";
import { createdAt, type User, usersQuery } from "./users";
import classes from "./users.module.css";

const words = t.admin.users;
const HEIGHT = 68;

export function UsersTab() {
  const users = useQuery(usersQuery);
  const [creating, setCreating] = useState(false);
  const create = (
    <Button leftSection={<UserPlus size={18} aria-hidden />} onClick={() => setCreating(true)}>
      {words.create}
    </Button>
  );
  return (
    <Stack>
      <Group justify="end">{create}</Group>
      <Loaded query={users}>
        {(list) => (
          <>
            <Card>
              <VirtualRows label={words.list} rows={list} height={HEIGHT} keyOf={(user) => String(user.id)}>
                {(user) => <Row user={user} />}
              </VirtualRows>
            </Card>
            {list.length === 1 && (
              <EmptyState
                icon={<Users size={40} aria-hidden />}
                title={words.emptyTitle}
                text={words.emptyText}
              />
            )}
          </>
        )}
      </Loaded>
      {creating && <CreateUser onClose={() => setCreating(false)} />}
    </Stack>
  );
}

function Row(props: { user: User }) {
  const { user } = props;
  return (
    <div className={classes.row}>
      <div className={classes.who}>
        <Link to="/app/admin/users/$id" params={{ id: String(user.id) }} className={classes.link}>
          {user.username}
        </Link>
        <Text size="sm" c="dimmed" className={classes.line}>
          {words.callback}: {user.callback_url ?? words.operators}
        </Text>
      </div>
      <Text size="sm" c="dimmed" className={classes.since}>
        {words.since} <Ago at={createdAt(user)} />
      </Text>
      <Badge tone={user.is_admin ? "good" : "off"}>{user.is_admin ? words.admin : words.user}</Badge>
    </div>
  );
}
