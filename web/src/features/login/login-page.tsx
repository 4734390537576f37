import { Center, Stack, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { loggedOut } from "../../api/connection";
import { prefix } from "../../base";
import { t } from "../../texts";
import { Mark } from "../../ui/mark";
import { Card } from "../../ui/page";
import { LoginForm } from "./login-form";

export function LoginPage() {
  const { from } = useSearch({ from: "/app/login" });
  const queries = useQueryClient();
  const router = useRouter();
  useEffect(() => {
    document.title = `${t.login.title} · ${t.common.product}`;
  }, []);
  const enter = async () => {
    loggedOut.set(false);
    queries.clear();
    if (from) router.history.replace(prefix === "/" ? from : prefix + from);
    else await router.navigate({ to: "/app", replace: true });
  };
  return (
    <Center mih="100dvh" p="md" component="main">
      <Stack w="100%" maw={380} gap="lg">
        <Stack align="center" gap="xs">
          <Mark size={48} />
          <Text c="dimmed">{t.common.product}</Text>
        </Stack>
        <Card>
          <Title order={1} size="h3" mb="md">
            {t.login.title}
          </Title>
          <LoginForm onLoggedIn={() => void enter()} />
        </Card>
      </Stack>
    </Center>
  );
}
