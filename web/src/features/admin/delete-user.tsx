import { Button, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../../api/client";
import { Problem } from "../../api/problem";
import { t } from "../../texts";
import { Confirm } from "../../ui/confirm";
import { Card } from "../../ui/page";
import { type User, usersQuery } from "./users";

const words = t.admin.user;

/** Deletes a user with everything of theirs, once their name was typed. */
export function DeleteUser(props: { user: User }) {
  const { id, username } = props.user;
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = async () => {
    if (typed !== username) throw new Problem(400, "not_confirmed", words.typeName(username));
    await ask(api.DELETE("/admin/users/{id}", { params: { path: { id } } }));
    notifications.show({ message: words.deleted(username) });
    await navigate({ to: "/app/admin/users" });
    await queries.invalidateQueries(usersQuery);
  };
  return (
    <Card title={words.delete}>
      <Text size="sm" c="dimmed" mb="sm">
        {words.deleteAbout}
      </Text>
      <Button color="red.8" onClick={() => setAsking(true)}>
        {words.delete}
      </Button>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title={words.confirmDelete(username)}
        text={
          <Stack gap="sm">
            {words.deleteAbout}
            <TextInput
              label={words.typeName(username)}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              autoComplete="off"
              data-autofocus
            />
          </Stack>
        }
        action={t.common.delete}
        danger
        onConfirm={remove}
      />
    </Card>
  );
}
