import { Center, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link2Off } from "lucide-react";
import { useEffect, useState } from "react";
import { api, ask } from "../../api/client";
import { t } from "../../texts";
import { moment } from "../../ui/format";
import { Loaded } from "../../ui/loaded";
import { Mark } from "../../ui/mark";
import { Card, EmptyState } from "../../ui/page";
import { PairCode } from "../session/pairing/pair-code";
import { QrPanel } from "../session/pairing/qr-panel";
import { usePairing } from "../session/pairing/use-pairing";
import { linkRoute } from "./routes";

/** What somebody sees who was given a link: what to scan, and nothing else. */
export function LinkPage() {
  const { token } = linkRoute.useParams();
  const path = { token };
  const link = useQuery({
    queryKey: ["link", token],
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/link/{token}/state", { params: { path }, signal }))).data,
  });
  const session = link.data?.session;
  useEffect(() => {
    document.title = `${session ? t.link.title(session) : t.session.pairing.title} · ${t.common.product}`;
  }, [session]);
  return (
    <Center mih="100dvh" p="md" component="main">
      <Stack w="100%" maw={720} gap="lg">
        <Center>
          <Mark size={40} />
        </Center>
        <Card>
          {link.error?.status === 404 ? (
            <EmptyState page icon={<Link2Off size={40} aria-hidden />} {...t.link.expired} />
          ) : (
            <Loaded query={link}>
              {({ session, expires_at }) => <Linking token={token} session={session} until={expires_at} />}
            </Loaded>
          )}
        </Card>
      </Stack>
    </Center>
  );
}

function Linking(props: { token: string; session: string; until: string }) {
  const [attempt, setAttempt] = useState(0);
  const events = `/link/${encodeURIComponent(props.token)}/qr/events`;
  const pairing = usePairing(events, attempt, { withoutAccount: true });
  const pairCode = async (phone_number: string) => {
    const params = { path: { token: props.token } };
    return (await ask(api.POST("/link/{token}/pair-code", { params, body: { phone_number } }))).data.code;
  };
  if (pairing.phase === "refused" && pairing.problem.status === 404) {
    return <EmptyState page icon={<Link2Off size={40} aria-hidden />} {...t.link.expired} />;
  }
  return (
    <Stack gap="lg">
      <div>
        <Title order={1} size="h3">
          {t.link.title(props.session)}
        </Title>
        <Text c="dimmed">{t.link.about}</Text>
      </div>
      <QrPanel
        pairing={pairing}
        onward={<Text>{t.link.done}</Text>}
        again={{ text: t.link.ask, action: t.link.again, onClick: () => setAttempt((n) => n + 1) }}
      />
      {pairing.phase === "code" && <PairCode ask={pairCode} />}
      <Text c="dimmed" size="sm">
        {t.link.until} {moment(props.until)}
      </Text>
    </Stack>
  );
}
