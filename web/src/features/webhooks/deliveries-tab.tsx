import { Button, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListChecks, RotateCcw } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { t } from "../../texts";
import { Confirm } from "../../ui/confirm";
import { count } from "../../ui/format";
import { LinkButton } from "../../ui/links";
import { Loaded } from "../../ui/loaded";
import { Card, EmptyState } from "../../ui/page";
import { type Delivery, deliveriesQuery, replayAll } from "./deliveries";
import { DeliveryFilters } from "./delivery-filters";
import { DeliveryList } from "./delivery-list";
import type { DeliveryFilter } from "./routes";

const words = t.webhooks.deliveries;

export function DeliveriesTab() {
  const filter = useSearch({ from: "/app/webhooks/deliveries" });
  const navigate = useNavigate({ from: "/app/webhooks/deliveries" });
  const deliveries = useInfiniteQuery(deliveriesQuery(filter));
  const set = useCallback(
    (next: DeliveryFilter) => void navigate({ search: next, replace: true, resetScroll: false }),
    [navigate],
  );
  return (
    <Stack>
      <DeliveryFilters filter={filter} onChange={set} aside={<ReplayAll filter={filter} />} />
      <Loaded query={deliveries}>
        {({ pages }) => (
          <Pages
            pages={pages.map((page) => page.data)}
            more={deliveries.hasNextPage}
            onMore={() => void deliveries.fetchNextPage()}
            busy={deliveries.isFetchingNextPage}
            narrowed={Boolean(filter.state || filter.endpoint || filter.session)}
            onReset={() => set({})}
          />
        )}
      </Loaded>
    </Stack>
  );
}

function Pages(props: {
  pages: Delivery[][];
  more: boolean;
  busy: boolean;
  onMore: () => void;
  narrowed: boolean;
  onReset: () => void;
}) {
  const { pages, more, busy, onMore, narrowed } = props;
  const rows = useMemo(() => pages.flat(), [pages]);
  const end = useCallback(() => {
    if (more && !busy) onMore();
  }, [more, busy, onMore]);
  if (rows.length === 0) {
    return narrowed ? (
      <EmptyState
        title={words.noneMatch.title}
        text={words.noneMatch.text}
        action={
          <Button variant="default" onClick={props.onReset}>
            {words.noneMatch.reset}
          </Button>
        }
      />
    ) : (
      <EmptyState
        icon={<ListChecks size={40} aria-hidden />}
        title={words.empty.title}
        text={words.empty.text}
        action={
          <LinkButton variant="default" to="/app/webhooks">
            {words.empty.action}
          </LinkButton>
        }
      />
    );
  }
  return (
    <Card>
      <Text size="sm" c="dimmed" mb="xs" role="status">
        {words.shown(count(rows.length), more)}
      </Text>
      <DeliveryList rows={rows} onEnd={end} />
    </Card>
  );
}

function ReplayAll(props: { filter: DeliveryFilter }) {
  const { filter } = props;
  const [asking, setAsking] = useState(false);
  const queries = useQueryClient();
  const act = async () => {
    const total = await replayAll(filter);
    notifications.show({ message: total > 0 ? words.replayedMany(count(total)) : words.noneToReplay });
    await queries.invalidateQueries({ queryKey: ["deliveries"] });
    await queries.invalidateQueries({ queryKey: ["endpoints"] });
  };
  return (
    <>
      <Button
        variant="default"
        leftSection={<RotateCcw size={16} aria-hidden />}
        onClick={() => setAsking(true)}
      >
        {words.replayAll}
      </Button>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title={words.confirmAll.title}
        text={
          filter.endpoint || filter.session
            ? `${words.confirmAll.text} ${words.confirmAll.narrowed}`
            : words.confirmAll.text
        }
        action={words.replayAll}
        onConfirm={act}
      />
    </>
  );
}
