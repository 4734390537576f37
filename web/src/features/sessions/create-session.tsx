import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api, ask } from "../../api/client";
import { asProblem } from "../../api/problem";
import { t } from "../../texts";
import { Dialog } from "../../ui/dialog";
import { TextLink } from "../../ui/links";
import { ProblemAlert } from "../../ui/loaded";
import { SESSIONS_KEY } from "./live-sessions";

/** `POST /session/start`: there is a code to scan, or it is connected without. */
type Started = { session: string } | { data: { session: string } };

/** Starts a session and tells its whole name, which may carry the user's in front. */
export async function startSession(session: string): Promise<string> {
  const started = (await ask(api.POST("/session/start", { body: { session } }))) as unknown as Started;
  return "session" in started ? started.session : started.data.session;
}

export function CreateSession(props: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [missing, setMissing] = useState(false);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const start = useMutation({
    mutationFn: async (name: string) => {
      try {
        return await startSession(name);
      } catch (error) {
        // It exists; there is nothing to scan yet. Its page shows how that goes on.
        if (asProblem(error).status === 504) return name;
        throw error;
      }
    },
    onSuccess: (name) => {
      void queries.invalidateQueries({ queryKey: SESSIONS_KEY });
      return navigate({ to: "/app/sessions/$name/link", params: { name } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMissing(!name.trim());
    if (name.trim()) start.mutate(name.trim());
  };
  const exists = start.error?.code === "session_exists";
  const texts = t.sessions.dialog;
  return (
    <Dialog onClose={props.onClose} title={texts.title}>
      <form onSubmit={submit} noValidate>
        <Stack>
          {exists ? (
            <Alert role="alert" color="yellow">
              <Text size="sm">
                {texts.exists}{" "}
                <TextLink to="/app/sessions/$name" params={{ name: name.trim() }}>
                  {texts.open}
                </TextLink>
              </Text>
            </Alert>
          ) : (
            <ProblemAlert error={start.error} />
          )}
          <TextInput
            label={texts.name}
            description={texts.about}
            placeholder={texts.placeholder}
            data-autofocus
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={name}
            error={missing && texts.missing}
            onChange={({ currentTarget }) => setName(currentTarget.value)}
          />
          <Group justify="end">
            <Button variant="default" onClick={props.onClose}>
              {t.common.cancel}
            </Button>
            <Button type="submit" loading={start.isPending}>
              {texts.submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
