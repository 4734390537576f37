import { Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { Loaded } from "../../ui/loaded";
import { Card } from "../../ui/page";
import { type Authentication, AuthenticationForm, type SetAuthentication } from "./authentication-form";
import { OAuth2Card } from "./oauth2-card";

/** How the user's webhooks authenticate. */
export const authenticationQuery = {
  queryKey: ["webhook-auth"],
  queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Authentication> =>
    (await ask(api.GET("/dashboard/webhook-auth", { signal }))).data,
};

export function AuthenticationTab() {
  const queries = useQueryClient();
  const settings = useQuery(authenticationQuery);
  const save = async (body: SetAuthentication) => {
    await ask(api.PUT("/dashboard/webhook-auth", { body }));
    await queries.invalidateQueries(authenticationQuery);
  };
  return (
    <Loaded query={settings}>
      {(now) => (
        <Stack>
          <Card title={t.webhooks.auth.title}>
            <Text c="dimmed" size="sm" mb="sm">
              {t.webhooks.auth.about}
            </Text>
            <AuthenticationForm now={now} onSave={save} />
          </Card>
          {now.auth_type === "oauth2" && <OAuth2Card now={now} />}
        </Stack>
      )}
    </Loaded>
  );
}
