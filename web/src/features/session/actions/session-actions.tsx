import { ActionIcon, Button, Group, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMatchRoute, useNavigate } from "@tanstack/react-router";
import { EllipsisVertical, LogOut, Play, QrCode, RotateCw, Share2, Square } from "lucide-react";
import { useState } from "react";
import { api, ask } from "../../../api/client";
import { asProblem } from "../../../api/problem";
import type { components } from "../../../api/schema";
import { t } from "../../../texts";
import { Confirm } from "../../../ui/confirm";
import { LinkButton } from "../../../ui/links";
import { startSession } from "../../sessions/create-session";
import { SESSIONS_KEY } from "../../sessions/live-sessions";
import { sessionKey } from "../session-query";
import { ShareDialog } from "./share-dialog";

type Session = components["schemas"]["SessionBody"];

type Question = "restart" | "stop" | "logOut";

/** What can be done with a session, those things asked about first that take it off line. */
export function SessionActions({ session }: { session: Session }) {
  const [question, setQuestion] = useState<Question>("restart");
  const [asking, setAsking] = useState(false);
  const [sharing, setSharing] = useState(false);
  const act = useActions(session.name);
  const start = useStart(session.name);
  const linking = useMatchRoute()({ to: "/app/sessions/$name/link" });
  const running = session.wanted && session.state !== "stopped";
  const texts = t.session.actions;
  const put = (next: Question) => () => {
    setQuestion(next);
    setAsking(true);
  };
  const words = t.session.confirm[question];
  return (
    <Group gap="xs">
      {!session.credentials_present && session.state !== "connected" ? (
        !linking && (
          <LinkButton
            to="/app/sessions/$name/link"
            params={{ name: session.name }}
            leftSection={<QrCode size={18} aria-hidden />}
          >
            {texts.link}
          </LinkButton>
        )
      ) : running ? (
        <Button variant="default" leftSection={<RotateCw size={16} aria-hidden />} onClick={put("restart")}>
          {texts.restart}
        </Button>
      ) : (
        <Button
          leftSection={<Play size={16} aria-hidden />}
          loading={start.isPending}
          onClick={() => start.mutate()}
        >
          {texts.start}
        </Button>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label={texts.menu}>
            <EllipsisVertical size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {!session.connected && (
            <Menu.Item leftSection={<Share2 size={16} aria-hidden />} onClick={() => setSharing(true)}>
              {texts.share}
            </Menu.Item>
          )}
          {running && (
            <Menu.Item leftSection={<Square size={16} aria-hidden />} onClick={put("stop")}>
              {texts.stop}
            </Menu.Item>
          )}
          <Menu.Item
            color="var(--bad)"
            leftSection={<LogOut size={16} aria-hidden />}
            onClick={put("logOut")}
          >
            {texts.logOut}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title={words.title}
        text={typeof words.text === "string" ? words.text : words.text(session.name)}
        action={words.action}
        danger={question === "logOut"}
        onConfirm={async () => {
          await act[question]();
          notifications.show({ message: words.done, color: "green" });
        }}
      />
      <ShareDialog opened={sharing} onClose={() => setSharing(false)} name={session.name} />
    </Group>
  );
}

function useActions(name: string): Record<Question, () => Promise<void>> {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const path = { name };
  const look = () => queries.invalidateQueries({ queryKey: sessionKey(name) });
  return {
    restart: async () => {
      await ask(api.POST("/session/{name}/restart", { params: { path } }));
      void look();
    },
    stop: async () => {
      await ask(api.POST("/session/{name}/stop", { params: { path } }));
      void look();
    },
    logOut: async () => {
      await ask(api.POST("/session/logout", { params: { query: { session: name } } }));
      void queries.invalidateQueries({ queryKey: SESSIONS_KEY });
      await navigate({ to: "/app" });
      queries.removeQueries({ queryKey: sessionKey(name) });
    },
  };
}

function useStart(name: string) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: () => startSession(name),
    onError: (error) => {
      const problem = asProblem(error);
      // There is something to scan, or will be: its page shows how that goes on.
      if (problem.status === 504) void navigate({ to: "/app/sessions/$name/link", params: { name } });
      else notifications.show({ message: problem.message, color: "red" });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: sessionKey(name) }),
  });
}
