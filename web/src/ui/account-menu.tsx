import { ActionIcon, Menu, useMantineColorScheme } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { BookOpen, Check, CircleUserRound, LogOut, Monitor, Moon, Sun } from "lucide-react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import { apiUrl } from "../base";
import { useLoggedIn } from "../features/login/me";
import { t } from "../texts";

const THEMES = [
  { scheme: "light", Icon: Sun },
  { scheme: "dark", Icon: Moon },
  { scheme: "auto", Icon: Monitor },
] as const;

/** Who is logged in, how the pages look, and the way out. */
export function AccountMenu() {
  const me = useLoggedIn();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const logOut = useLogOut();
  return (
    <Menu position="bottom-end" width={230} withinPortal={false}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t.common.account(me.username)}>
          <CircleUserRound size={22} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.username}</Menu.Label>
        <Menu.Item leftSection={<LogOut size={16} aria-hidden />} onClick={() => void logOut()}>
          {t.common.logOut}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Label>{t.common.theme}</Menu.Label>
        {THEMES.map(({ scheme, Icon }) => (
          <Menu.Item
            key={scheme}
            leftSection={<Icon size={16} aria-hidden />}
            rightSection={scheme === colorScheme ? <Check size={16} aria-hidden /> : undefined}
            aria-current={scheme === colorScheme}
            onClick={() => setColorScheme(scheme)}
          >
            {t.common.themes[scheme]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item component="a" href={apiUrl("/docs")} leftSection={<BookOpen size={16} aria-hidden />}>
          {t.common.nav.docs}
        </Menu.Item>
        <Menu.Label>{t.common.version(me.version)}</Menu.Label>
      </Menu.Dropdown>
    </Menu>
  );
}

function useLogOut() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const me = useLoggedIn();
  return async () => {
    if (me.by === "basic") {
      notifications.show({ message: t.login.basic, color: "yellow", autoClose: false });
      return;
    }
    try {
      await ask(api.POST("/auth/logout"));
    } catch (error) {
      notifications.show({ message: asProblem(error).message, color: "red" });
      return;
    }
    await navigate({ to: "/app/login" });
    queries.clear();
  };
}
