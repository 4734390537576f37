import { SegmentedControl, Skeleton, Text } from "@mantine/core";
import "@mantine/core/styles/FloatingIndicator.css";
import "@mantine/core/styles/SegmentedControl.css";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../../../api/client";
import type { Stats, StatsBucket } from "../../../api/types";
import { t } from "../../../texts";
import { clockOf, count, dayOf, duration, shortMoment } from "../../../ui/format";
import { Loaded } from "../../../ui/loaded";
import { Card } from "../../../ui/page";
import { useNow } from "../../../ui/time";
import { sessionKey } from "../session-query";
import { Chart, Key } from "./chart";
import chart from "./chart.module.css";
import { linePath } from "./scale";
import classes from "./traffic.module.css";

type Window = keyof typeof t.session.windows;

/** How often to look again; the shorter the time span, the sooner something changes. */
const LOOK_AGAIN_MS: Record<Window, number> = { "1h": 15_000, "24h": 60_000, "7d": 300_000 };

/** Counters, and charts of traffic and latency. */
export function Traffic({ name }: { name: string }) {
  const [window, setWindow] = useState<Window>("24h");
  const stats = useQuery({
    queryKey: [...sessionKey(name), "stats", window],
    queryFn: async ({ signal }) => {
      const params = { path: { name }, query: { window } };
      return (await ask(api.GET("/session/{name}/stats", { params, signal }))).data;
    },
    refetchInterval: LOOK_AGAIN_MS[window],
    placeholderData: keepPreviousData,
  });
  const choice = (
    <SegmentedControl
      size="xs"
      aria-label={t.session.stats.window}
      value={window}
      onChange={(value) => setWindow(value as Window)}
      data={Object.entries(t.session.windows).map(([value, label]) => ({ value, label }))}
    />
  );
  return (
    <Card title={t.session.stats.title} aside={choice}>
      <Loaded query={stats} outline={<Skeleton height={480} />}>
        {(data) => (
          <>
            <Counters totals={data.totals} />
            <TrafficChart stats={data} window={window} />
            <LatencyChart stats={data} window={window} />
          </>
        )}
      </Loaded>
    </Card>
  );
}

const latency = (ms?: number | null) => (ms == null ? t.session.stats.noLatency : duration(ms));

function Counters({ totals }: { totals: Stats["totals"] }) {
  const texts = t.session.stats;
  return (
    <dl className={classes.counters}>
      <Counter name={texts.sent} value={count(totals.sent)} />
      <Counter name={texts.received} value={count(totals.received)} />
      <Counter name={texts.failed} value={count(totals.failed)} bad={totals.failed > 0} />
      <Counter name={texts.latency} value={latency(totals.latency_p50_ms)} />
    </dl>
  );
}

function Counter(props: { name: string; value: string; bad?: boolean }) {
  return (
    <div className={classes.counter}>
      <dt>{props.name}</dt>
      <dd data-bad={props.bad || undefined}>{props.value}</dd>
    </div>
  );
}

function useTimes() {
  const now = useNow();
  return (at: string) => shortMoment(at, now);
}

const STACK = ["received", "sent", "failed"] as const;

function TrafficChart({ stats: { buckets, totals }, window }: { stats: Stats; window: Window }) {
  const texts = t.session.stats;
  const formatTime = useTimes();
  const sum = (bucket: StatsBucket) => STACK.reduce((sum, kind) => sum + bucket[kind], 0);
  if (buckets.every((bucket) => sum(bucket) === 0)) return <Text c="dimmed">{texts.empty}</Text>;
  return (
    <Chart
      title={texts.traffic}
      summary={texts.chart(count(totals.sent), count(totals.received), count(totals.failed))}
      times={buckets.map((bucket) => bucket.at)}
      max={Math.max(...buckets.map(sum))}
      formatTime={window === "7d" ? dayOf : clockOf}
      formatValue={count}
      legend={(index) => {
        const bucket = index === undefined ? undefined : buckets[index];
        return (
          <>
            {bucket && texts.at(formatTime(bucket.at))}
            {(["sent", "received", "failed"] as const).map((kind) => (
              <Key key={kind} kind={kind} text={texts[kind]} value={bucket && count(bucket[kind])} />
            ))}
          </>
        );
      }}
    >
      {({ x, y, step }) =>
        buckets.map((bucket, index) => {
          let below = 0;
          return STACK.map((kind) => {
            const from = below;
            below += bucket[kind];
            if (bucket[kind] === 0) return null;
            return (
              <rect
                key={`${bucket.at} ${kind}`}
                className={chart.bar}
                data-kind={kind}
                x={x(index) - step * 0.36}
                width={Math.max(1, step * 0.72)}
                y={y(below)}
                height={y(from) - y(below)}
              />
            );
          });
        })
      }
    </Chart>
  );
}

function LatencyChart({ stats: { buckets, totals }, window }: { stats: Stats; window: Window }) {
  const texts = t.session.stats;
  const formatTime = useTimes();
  const lines = {
    slowest: buckets.map((bucket) => bucket.latency_p99_ms ?? null),
    median: buckets.map((bucket) => bucket.latency_p50_ms ?? null),
  };
  const max = Math.max(0, ...lines.slowest.map(Number), ...lines.median.map(Number));
  if (max === 0) return null;
  return (
    <Chart
      title={texts.latencyTitle}
      summary={texts.latencyChart(latency(totals.latency_p50_ms), latency(totals.latency_p99_ms))}
      times={buckets.map((bucket) => bucket.at)}
      max={max}
      formatTime={window === "7d" ? dayOf : clockOf}
      formatValue={duration}
      legend={(index) => {
        const bucket = index === undefined ? undefined : buckets[index];
        return (
          <>
            {bucket && texts.at(formatTime(bucket.at))}
            <Key kind="median" text={texts.median} value={bucket && latency(bucket.latency_p50_ms)} />
            <Key kind="slowest" text={texts.slowest} value={bucket && latency(bucket.latency_p99_ms)} />
          </>
        );
      }}
    >
      {({ x, y }) =>
        (["slowest", "median"] as const).map((kind) => (
          <path key={kind} className={chart.line} data-kind={kind} d={linePath(lines[kind], x, y)} />
        ))
      }
    </Chart>
  );
}
